// Heads and rows of tables.

import { press } from "./buttons.js";
import { el } from "./elements.js";
import { go } from "./links.js";

// Names that begin with "#" head columns of numbers.
export function headed(names) {
  const cells = names.map((name) =>
    el("th", { scope: "col", class: name.startsWith("#") && "num" }, name.replace("#", "")),
  );
  return el("thead", el("tr", cells));
}

// A row that leads somewhere as a whole. For the keyboard its first link does.
export function leading(target, ...cells) {
  const open = (event) => event.target.closest("a,button") || go(target);
  return el(
    "tr",
    press(open),
    cells.map((cell) => (cell?.tagName === "TD" ? cell : el("td", cell))),
  );
}
