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

// What is drawn is said first if it is not all there is.
export function legend(items, told) {
  return el(
    "div.legend",
    told && el("b", told),
    items.map(([kind, text]) => el("span", el("i", { class: `mark ${kind}` }), text)),
  );
}
