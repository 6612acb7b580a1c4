// The panel beside a drawing. It has the focus while what had it in there is gone.

import { el } from "./elements.js";

export function panel(name, ...children) {
  const props = { "aria-label": name, tabindex: -1, data: { height: "fill" } };
  return el("aside.inspector", props, children);
}
