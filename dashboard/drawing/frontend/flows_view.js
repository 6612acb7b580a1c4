// The table of flows, with a pill for each state.

import { ageText } from "./ages.js";
import { el } from "./elements.js";
import { link } from "./links.js";
import { badge, named, said, stripe } from "./phrases.js";
import { SheetView } from "./sheet_view.js";
import { leading } from "./tables.js";

// By the name of their column.
const CELLS = {
  state: (data) => [
    badge(data.state, data.state),
    data.chips.map(({ text, title }) => el("span.chip", { title }, text)),
  ],
  flow: (data) => link(data.target, { class: "mono" }, named(data.name)),
  "waiting for / outcome": (data) => (data.waiting ? awaited(data) : el("span.muted", said(data.outcome))),
  "#started": (data) => ageText(data.since, "% ago"),
  "#last activity": (data) => ageText(data.last, "% ago"),
  "#took": (data) =>
    data.over ? data.took : el("span.muted", { title: "So far: it is not over." }, data.took),
  "share of time waiting": (data) => data.wait !== null && shares(data),
  "#waited": (data) => data.waited,
  "#worked": (data) => data.worked,
  "last message": (data) => [named(data.event), " ", el("span.muted", named(data.by))],
  "#messages": (data) => data.messages,
  "#reactions": (data) => data.reactions,
};

export class FlowsView extends SheetView {
  constructor(root, act) {
    super(root, act, flowRow);
  }
}

function flowRow(data, columns) {
  const cell = (name) => (name.startsWith("#") ? el("td.num", CELLS[name](data)) : CELLS[name](data));
  return leading(data.target, ...columns.map(cell));
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
