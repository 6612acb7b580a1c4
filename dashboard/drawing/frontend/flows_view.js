// The table of flows, with a pill for each state.

import { ageText } from "./ages.js";
import { press } from "./buttons.js";
import { el } from "./elements.js";
import { icon } from "./icons.js";
import { link } from "./links.js";
import { badge, named, stripe } from "./phrases.js";
import { keyed } from "./reconcile.js";
import { headed, leading } from "./tables.js";

const COLUMNS_OF_FLOWS = [
  "state",
  "flow",
  "waiting for / outcome",
  "#started",
  "#took",
  "share of time waiting",
  "last message",
  "#messages",
  "#reactions",
];
const INCOMPLETE = "Spans of this flow are missing: what is drawn may not be all.";

export class FlowsView {
  constructor(root, act) {
    this.act = act;
    this.body = el("tbody");
    this.foot = el("p.more");
    this.pills = el("div.pills", { role: "group", "aria-label": "State" });
    this.sheet = el("div.sheet", el("table.flows", headed(COLUMNS_OF_FLOWS), this.body));
    root.replaceChildren(this.pills, this.sheet, this.foot);
  }

  update(data) {
    keyed(this.pills, data.pills, (item) => this.pill(item));
    this.sheet.hidden = !data.rows.length;
    keyed(this.body, data.rows, flowRow);
    const more = () => this.act.trigger("act", { more: true });
    this.foot.replaceChildren(data.showing, " ", data.more ? el("button.plain", press(more), data.more) : "");
  }

  pill(data) {
    const choose = press(() => this.act.trigger("act", data.act), { "aria-pressed": String(data.on) });
    const count = el("b", named(data.count));
    return el("button.plain", choose, data.label, " ", count, data.on && icon("cross", 10));
  }
}

function flowRow(data) {
  return leading(
    data.target,
    [
      badge(data.state, data.state),
      data.incomplete && el("span.chip", { title: INCOMPLETE }, "incomplete telemetry"),
    ],
    link(data.target, { class: "mono" }, named(data.name)),
    data.waiting ? awaited(data) : el("span.muted", named(data.outcome)),
    el("td.num", ageText(data.since, "% ago")),
    el("td.num", data.took || el("span.muted", { title: "It is not over." }, "\u2014")),
    data.wait !== null && shares(data),
    [named(data.last), " ", el("span.muted", named(data.by))],
    el("td.num", data.messages),
    el("td.num", data.reactions),
  );
}

function awaited({ colour, waiting, overdue }) {
  const late = overdue && el("span.muted", " \u00b7 ", ageText(overdue, "overdue %"));
  return [stripe(colour), named(waiting), late];
}

// How much of its time the flow spent waiting, as a bar of two parts.
function shares({ wait, split, percent }) {
  const part = (kind, share) => el(`i.${kind}`, { css: { width: `${share * 100}%` } });
  const bar = el("span.split", { title: split }, part("hatch", wait), part("solid", 1 - wait));
  return [bar, el("span.muted", ` ${percent}`)];
}
