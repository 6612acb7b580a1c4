// What is inside an arrow, and the pill on it. Edges of a flow have no `step`: only the map shows latency.

import { widthOf } from "./canvas_pen.js";
import { arrowhead, route } from "./curves.js";
import { fill, sv } from "./elements.js";
import { go, leadsTo } from "./links.js";

// A backward arrow is drawn this many pixels beside the others.
const BACK = 30;
const PILL = "600 10px Inter, sans-serif";

export function arrowClass({ step, missing, state, inferred }) {
  const kinds = ["edge", step === undefined && "flow", missing && `missing ${state}`, inferred && "inferred"];
  const latency = step !== undefined && !missing && `latency${step}`;
  return [...kinds, latency].filter(Boolean).join(" ");
}

// The elements of an arrow. If it has a tip, a wide invisible line catches the pointer.
export function arrow({ points, width, back, tip, flows }, direction) {
  const line = sv("path", { class: "line", d: route(points, direction, back ? BACK : 0) });
  if (width) line.style.strokeWidth = `${width}px`;
  const head = (!width || back) && {
    class: "head",
    d: arrowhead(points.at(-1), direction, back),
    transform: back && `translate(${BACK} 0)`,
  };
  return [
    tip && sv("title", {}, tip),
    tip &&
      sv("path", { class: "grip", d: route(points, direction), on: flows && { click: () => go(flows) } }),
    line,
    head && sv("path", head),
  ].filter(Boolean);
}

// The pill on an arrow: how slow it is, or how many flows are stuck there and where to see them.
export function pill({ points, label, stuck, stuckLabel, target }) {
  const middle = points.length === 2 ? 0 : Math.max(0, points.length - 2);
  const [a, b] = [points[middle], points[middle + 1]];
  const [x, y] = [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2];
  const text = stuck || label;
  const width = widthOf(text, PILL) + 12;
  const group = sv(
    "g",
    { class: stuck ? "pill stuck" : "pill", transform: `translate(${x} ${y})` },
    sv("rect", { x: -width / 2, y: -8, width, height: 16, rx: 8 }),
    sv("text", { y: 3.6, "text-anchor": "middle" }, text),
  );
  return target ? fill(group, leadsTo(target, stuckLabel), []) : group;
}
