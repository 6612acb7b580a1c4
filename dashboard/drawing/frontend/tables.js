// Headers and rows of tables.

import { press } from "./buttons.js";
import { el } from "./elements.js";
import { go } from "./links.js";

// Names that begin with "#" are for columns of numbers. A column with an entry in `sorts` is a button that
// hands over what to sort by then (`by`), and shows which way it is sorted now (`way`).
export function headed(names, sorts = {}, choose = null) {
  const cells = names.map((name) => {
    const { by, way } = sorts[name] || {};
    const text = [name.replace("#", ""), way && (way === "ascending" ? " \u2191" : " \u2193")];
    const props = { scope: "col", class: name.startsWith("#") && "num", "aria-sort": way };
    return el(
      "th",
      props,
      by
        ? el(
            "button",
            press(() => choose(by)),
            text,
          )
        : text,
    );
  });
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
