// The table of flows, with a pill for each state.

import { ageText } from "./ages.js";
import { el } from "./elements.js";
import { link } from "./links.js";
import { badge, named, said, stripe } from "./phrases.js";
import { SheetView } from "./sheet_view.js";
import { leading } from "./tables.js";

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

export class FlowsView extends SheetView {
  constructor(root, act) {
    super(root, act, COLUMNS_OF_FLOWS, flowRow);
  }
}

function flowRow(data) {
  return leading(
    data.target,
    [badge(data.state, data.state), data.chips.map(({ text, title }) => el("span.chip", { title }, text))],
    link(data.target, { class: "mono" }, named(data.name)),
    data.waiting ? awaited(data) : el("span.muted", said(data.outcome)),
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
