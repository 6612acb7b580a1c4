// The first page: the headline, five figures, and a row for each reaction that is owed, with its flows if it
// is open.

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
    // Which groups are open: as each was when it came, until its reader opens or closes it.
    this.open = new Map();
    this.head = new HeadView(top, act);
    this.tiles = el("div.tiles");
    this.groups = el("div.groups");
    root.replaceChildren(top, this.tiles, this.groups);
  }

  update(data) {
    this.head.update(data.head);
    keyed(this.tiles, data.tiles, tile);
    keyed(this.groups, data.groups, (item) => (item.calm ? el("p.calm", item.calm) : this.group(item)));
  }

  group(data) {
    if (!this.open.has(data.key)) this.open.set(data.key, data.open);
    const open = this.open.get(data.key);
    const inside = el("div", { hidden: !open }, flowsOf(data));
    const toggle = (event) => {
      inside.hidden = !inside.hidden;
      this.open.set(data.key, !inside.hidden);
      event.currentTarget.setAttribute("aria-expanded", String(!inside.hidden));
    };
    const dismiss = press(() => this.act.trigger("act", data.key));
    return el(
      "section",
      { class: `group ${data.state}`, "aria-label": `${data.service} owes ${data.event}` },
      el("header", owing(data, press(toggle, { "aria-expanded": String(open) })), ...facts(data, dismiss)),
      inside,
    );
  }
}

function tile({ label, value, hint, state, target }) {
  const inside = [el("span.label", label), el("span.value", value), el("span.hint", hint || "")];
  const kind = `tile ${state || ""}`;
  return link(target, { class: kind }, inside);
}

function owing({ colour, service, cause, event }, toggle) {
  const missing = [el("span.cause", "missing:"), el("span.owed", named(event))];
  const who = el("span", named(service), " ", cause);
  return el("h2", el("button", toggle, icon("chevron", 12), stripe(colour), who, missing));
}

function facts({ flows, oldest, first, service, target }, dismiss) {
  const known = Object.entries({ flows, oldest: ageText(oldest), "first seen": hour(first) });
  const title = `Open the oldest flow that waits for ${service}`;
  return [
    el(
      "dl",
      known.map(([name, value]) => el("div", el("dt", name), el("dd", value))),
    ),
    link(target, { class: "plain open", "aria-label": title }, "Open oldest", icon("arrow", 13)),
    el("button.plain", dismiss, "Dismiss"),
  ];
}

function flowsOf({ why, rows, more }) {
  return [
    el("p.why", said(why)),
    rows.length > 0 && el("table", headed(COLUMNS), el("tbody", rows.map(stuckRow))),
    more && el("p.more", link(more.target, {}, more.text)),
  ];
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
