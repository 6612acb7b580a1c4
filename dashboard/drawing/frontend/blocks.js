// A drawing from far away: its boxes as blocks and its arrows as lines, on a canvas.

import { el } from "./elements.js";

// What needs attention is never smaller than this, in pixels.
const SMALLEST = 6;
// What needs attention does not fade more than this.
const URGENT = 0.62;
const TONES = ["--edge", "--stuck", "--failed", "--wait"];

// A canvas of w x h pixels, sharp on every screen; its pen has the size of a pixel of the page.
export function sheetOf(kind) {
  const canvas = el(`canvas.${kind}`, { "aria-hidden": "true" });
  const pen = canvas.getContext("2d");
  const clear = ([w, h]) => {
    const ratio = globalThis.devicePixelRatio || 1;
    const [wide, high] = [Math.round(w * ratio), Math.round(h * ratio)];
    if (canvas.width !== wide || canvas.height !== high) {
      Object.assign(canvas, { width: wide, height: high });
      canvas.style.width = `${w}px`;
      canvas.style.height = `${h}px`;
    }
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, w, h);
  };
  const style = getComputedStyle(canvas);
  return { canvas, pen, clear, colour: (name) => style.getPropertyValue(name).trim() };
}

// Paints all boxes: those of `lit` (all if it is null) as they are, the others as opaque as `faded`.
export function paintNodes({ pen, colour }, nodes, { k, x, y }, lit, faded) {
  const tones = TONES.map(colour);
  // What needs attention comes last, and lies above the rest.
  for (const urgent of [false, true]) {
    for (const node of nodes) {
      if (Boolean(node.problem) !== urgent) continue;
      const least = urgent ? SMALLEST : 1;
      const [w, h] = [Math.max(node.w * k, least), Math.max(node.h * k, least)];
      pen.globalAlpha = !lit || lit.has(node.id) ? 1 : urgent ? Math.max(faded, URGENT) : faded;
      pen.fillStyle = (!urgent && node.colour) || tones[node.problem || 0];
      pen.fillRect(node.x * k + x, node.y * k + y, w, h);
    }
  }
  pen.globalAlpha = 1;
}

// All arrows as one line of the world, to be drawn again at any scale.
export function linesOf(edges) {
  const lines = new Path2D();
  for (const { points } of edges) {
    lines.moveTo(...points[0]);
    for (const point of points.slice(1)) lines.lineTo(...point);
  }
  return lines;
}

export function paintLines({ pen, colour }, lines, { k, x, y }, tone, alpha) {
  pen.save();
  pen.translate(x, y);
  pen.scale(k, k);
  pen.lineWidth = 1 / k;
  pen.globalAlpha = alpha;
  pen.strokeStyle = colour(tone);
  pen.stroke(lines);
  pen.restore();
}
