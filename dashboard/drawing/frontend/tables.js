// Headers and rows of tables.

import { press } from "./buttons.js";
import { el } from "./elements.js";
import { go } from "./links.js";

// Names that begin with "#" are for columns of numbers.
export function headed(names) {
  const cells = names.map((name) =>
    el("th", { scope: "col", class: name.startsWith("#") && "num" }, name.replace("#", "")),
  );
  return el("thead", el("tr", cells));
}

// A row that is clickable as a whole. Keyboard users follow its first link.
export function leading(target, ...cells) {
  const open = (event) => event.target.closest("a,button") || go(target);
  return el(
    "tr",
    press(open),
    cells.map((cell) => (cell?.tagName === "TD" ? cell : el("td", cell))),
  );
}
