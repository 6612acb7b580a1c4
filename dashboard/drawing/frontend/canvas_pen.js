// How wide is a text, and what are the numbers of a colour? A canvas answers; nothing is drawn on it.

import { shown } from "./plain_text.js";

const PEN = document.createElement("canvas").getContext("2d");
const MOST_CUTS = 5000;
const cuts = new Map();

export function widthOf(text, font) {
  PEN.font = font;
  return PEN.measureText(text).width;
}

// Shortens `text` to `width` pixels, because SVG has no ellipsis. Both ends stay: they tell names apart. What
// is measured is what is shown: a control character is spelled out.
export function cut(text, width, font) {
  const key = `${font}|${width}|${text}`;
  if (cuts.has(key)) return cuts.get(key);
  const signs = [...shown(text)];
  const kept = (count) =>
    `${signs.slice(0, Math.ceil(count / 2)).join("")}\u2026${signs.slice(signs.length - (count >> 1)).join("")}`;
  let shortened = signs.join("");
  if (widthOf(shortened, font) > width) {
    let [low, high] = [0, signs.length - 1];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (widthOf(kept(middle), font) <= width) low = middle;
      else high = middle - 1;
    }
    shortened = kept(low);
  }
  if (cuts.size > MOST_CUTS) cuts.clear();
  cuts.set(key, shortened);
  return shortened;
}

// Red, green and blue of any CSS colour, 0 to 255. An invalid colour counts as white.
export function rgb(colour) {
  PEN.fillStyle = "#ffffff";
  PEN.fillStyle = colour;
  return [1, 3, 5].map((at) => parseInt(PEN.fillStyle.slice(at, at + 2), 16));
}
