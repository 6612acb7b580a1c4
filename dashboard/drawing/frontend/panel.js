// The panel beside a drawing.

import { el } from "./elements.js";

export function panel(name, ...children) {
  return el("aside.inspector", { "aria-label": name, data: { height: "fill" } }, children);
}
