// How wide is a text, and what are the numbers of a colour? A canvas answers; nothing is drawn on it.

const PEN = document.createElement("canvas").getContext("2d");
const MOST_CUTS = 5000;
const cuts = new Map();

export function widthOf(text, font) {
  PEN.font = font;
  return PEN.measureText(text).width;
}

// Shortens `text` to `width` pixels, because SVG has no ellipsis.
export function cut(text, width, font) {
  const key = `${font}|${width}|${text}`;
  if (cuts.has(key)) return cuts.get(key);
  let shortened = text;
  if (widthOf(text, font) > width) {
    let [low, high] = [0, text.length];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (widthOf(`${text.slice(0, middle)}\u2026`, font) <= width) low = middle;
      else high = middle - 1;
    }
    shortened = `${text.slice(0, low)}\u2026`;
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
