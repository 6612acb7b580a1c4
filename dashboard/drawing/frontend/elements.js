// Creates elements. Text from spans becomes text nodes and attribute values, never markup.

import { shown } from "./plain_text.js";

const SVG = "http://www.w3.org/2000/svg";

// Properties are attributes, except `on` (listeners), `data` (the dataset) and `css` (single styles).
// Null, undefined and false are skipped, so that callers can write conditions inline.
export function fill(node, props, children) {
  for (const [name, value] of Object.entries(props || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "on") for (const [event, run] of Object.entries(value)) node.addEventListener(event, run);
    else if (name === "data") Object.assign(node.dataset, value);
    else if (name === "css")
      for (const [key, item] of Object.entries(value)) node.style.setProperty(key, item);
    else node.setAttribute(name, value === true ? "" : shown(value));
  }
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    node.append(child instanceof Node ? child : document.createTextNode(shown(child)));
  }
  return node;
}

// "span.muted" is a span of the class "muted". Properties are optional.
export function el(name, ...rest) {
  const [tag, ...classes] = name.split(".");
  const node = document.createElement(tag);
  if (classes.length) node.className = classes.join(" ");
  const withProps = rest[0]?.constructor === Object;
  return fill(node, withProps ? rest[0] : {}, withProps ? rest.slice(1) : rest);
}

export function sv(tag, props, ...children) {
  return fill(document.createElementNS(SVG, tag), props, children);
}
