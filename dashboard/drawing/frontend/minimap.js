// A small copy of the whole drawing that marks the visible part; shown while some of it is out of sight.

import { seesAll } from "./camera.js";
import { sv } from "./elements.js";

const MARGIN = 6;
const WIDTH = 168;
const HEIGHT = 108;

export class Minimap {
  constructor() {
    this.svg = sv("svg", { class: "mini", "aria-hidden": "true", width: WIDTH, height: HEIGHT });
  }

  update(view, size, { bounds, nodes }) {
    const whole = seesAll(view, size, bounds);
    this.svg.classList.toggle("shown", !whole);
    if (whole) return;
    const [x0, y0, x1, y1] = bounds;
    const scale = Math.min((WIDTH - 2 * MARGIN) / (x1 - x0), (HEIGHT - 2 * MARGIN) / (y1 - y0));
    const rect = (kind, x, y, width, height) =>
      sv("rect", { class: kind, x: MARGIN + (x - x0) * scale, y: MARGIN + (y - y0) * scale, width, height });
    const boxes = nodes.map(({ x, y, w, h, problem }) => {
      const least = problem ? 6 : 1;
      return rect(problem ? "problem" : "", x, y, Math.max(w * scale, least), Math.max(h * scale, least));
    });
    const { k, x, y } = view;
    const [w, h] = size;
    this.svg.replaceChildren(...boxes, rect("port", -x / k, -y / k, (w / k) * scale, (h / k) * scale));
  }
}
