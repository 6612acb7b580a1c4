// A small copy of the whole drawing that marks the visible part; shown while some of it is out of sight.

import { paintNodes, sheetOf } from "./blocks.js";
import { seesAll } from "./camera.js";
import { el } from "./elements.js";

const MARGIN = 6;
const SIZE = [168, 108];

export class Minimap {
  constructor() {
    this.sheet = sheetOf("small");
    this.port = el("i.port");
    this.box = el("div.mini", { "aria-hidden": "true" }, this.sheet.canvas, this.port);
  }

  // `theme` is part of what is drawn: a canvas keeps its colours.
  update(view, size, data, theme) {
    const whole = seesAll(view, size, data.bounds);
    this.box.classList.toggle("shown", !whole);
    if (whole) return;
    const [x0, y0, x1, y1] = data.bounds;
    const k = Math.min((SIZE[0] - 2 * MARGIN) / (x1 - x0), (SIZE[1] - 2 * MARGIN) / (y1 - y0));
    const place = { k, x: MARGIN - x0 * k, y: MARGIN - y0 * k };
    if (this.data !== data || this.theme !== theme) {
      Object.assign(this, { data, theme });
      this.sheet.clear(SIZE);
      paintNodes(this.sheet, data.nodes, place, null, 1);
    }
    const ratio = k / view.k;
    this.port.style.transform = `translate(${place.x - view.x * ratio}px, ${place.y - view.y * ratio}px)`;
    this.port.style.width = `${size[0] * ratio}px`;
    this.port.style.height = `${size[1] * ratio}px`;
  }
}
