// The icons, as paths in a 16 x 16 square.

import { sv } from "./elements.js";

export const ICONS = {
  clock: "M8 1.5a6.5 6.5 0 1 1 0 13a6.5 6.5 0 0 1 0-13M8 4.5V8l2.4 1.6",
  cross: "M3.5 3.5l9 9M12.5 3.5l-9 9",
  chevron: "M6 3.5l4.5 4.5L6 12.5",
  arrow: "M3 8h10M9 4l4 4l-4 4",
  copy: "M5.5 5.5h7v8h-7zM3.5 10.5v-8h7",
  check: "M3 8.5l3.5 3.5L13 4.5",
  hourglass: "M4 2h8M4 14h8M5 2v2.5L8 8l3-3.5V2M5 14v-2.5L8 8l3 3.5V14",
};

export function icon(name, size = 14) {
  const props = { viewBox: "0 0 16 16", width: size, height: size, class: "icon", "aria-hidden": "true" };
  return sv("svg", props, sv("path", { d: ICONS[name] }));
}
