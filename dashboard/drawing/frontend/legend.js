// The strip below a drawing that explains its marks.

import { el } from "./elements.js";

export const LEGEND_OF_A_FLOW = [
  ["hatch", "waiting in queue"],
  ["solid", "work"],
  ["missing", "expected, not seen"],
  ["inferred", "concluded"],
  ["late", "slow"],
  ["failed", "failed"],
];

export function legend(items) {
  return el(
    "div.legend",
    items.map(([kind, text]) => el("span", el("i", { class: `mark ${kind}` }), text)),
  );
}
