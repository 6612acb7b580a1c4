// The first page: the headline, five figures, and a group for each reaction that is owed.

import { ageText, hour } from "./ages.js";
import { press } from "./buttons.js";
import { el } from "./elements.js";
import { HeadView } from "./head_view.js";
import { icon } from "./icons.js";
import { link } from "./links.js";
import { badge, named, said, stripe } from "./phrases.js";
import { keyed } from "./reconcile.js";
import { headed, leading } from "./tables.js";

const COLUMNS = ["state", "flow", "stopped after", "#for", "#since"];

export class StuckView {
  constructor(root, act) {
    const top = el("div");
    this.act = act;
    this.head = new HeadView(top, act);
    this.tiles = el("div.tiles");
    this.groups = el("div.groups");
    root.replaceChildren(top, this.tiles, this.groups);
  }

  update(data) {
    this.head.update(data.head);
    keyed(this.tiles, data.tiles, tile);
    keyed(this.groups, data.groups, (item) =>
      item.calm ? el("p.calm", item.calm) : group(item, () => this.act.trigger("act", item.key)),
    );
  }
}

function tile({ label, value, hint, state, target }) {
  const inside = [el("span.label", label), el("span.value", value), el("span.hint", hint || "")];
  const kind = `tile ${state || ""}`;
  return target ? link(target, { class: kind }, inside) : el("div", { class: kind }, inside);
}

function group(data, dismiss) {
  const { service, event, more } = data;
  const owed = el(
    "h2",
    stripe(data.colour),
    el("span", named(service), " ", data.cause),
    el("span.cause", "missing:"),
    el("span.owed", named(event)),
  );
  const facts = [
    ["flows", data.flows],
    ["oldest", ageText(data.oldest)],
    ["first seen", hour(data.first)],
  ];
  const listed = facts.map(([name, value]) => el("div", el("dt", name), el("dd", value)));
  const oldest = `Open the oldest flow that waits for ${service}`;
  const open = link(
    data.target,
    { class: "plain open", "aria-label": oldest },
    "Open oldest",
    icon("arrow", 13),
  );
  return el(
    "section",
    { class: `group ${data.state}`, "aria-label": `${service} owes ${event}` },
    el(
      "header",
      el("div", owed, el("p", said(data.why))),
      el("dl", listed),
      open,
      el("button.plain", press(dismiss), "Dismiss"),
    ),
    data.rows.length > 0 && el("table", headed(COLUMNS), el("tbody", data.rows.map(stuckRow))),
    more && el("p.more", link(more.target, {}, more.text)),
  );
}

function stuckRow(data) {
  return leading(
    data.target,
    badge(data.state, data.state),
    link(data.target, { class: "mono" }, named(data.name)),
    [named(data.stopped), " ", el("span.muted", named(data.by))],
    el("td.num", ageText(data.since)),
    el("td.num.muted", hour(data.since)),
  );
}
