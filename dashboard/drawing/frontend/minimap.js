// A small copy of the whole drawing that marks the visible part; shown while some of it is out of sight.

import { paintNodes, sheetOf } from "./blocks.js";
import { seesAll } from "./camera.js";
import { el } from "./elements.js";

const MARGIN = 6;
const SIZE = [168, 108];
const SLIM = 24; // of a chain, whose copy is a line

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
    // It covers no more of the drawing than it needs.
    const [w, h] = [x1 - x0, y1 - y0].map((long) => Math.max(SLIM, Math.ceil(long * k) + 2 * MARGIN));
    const place = { k, x: (w - (x0 + x1) * k) / 2, y: (h - (y0 + y1) * k) / 2 };
    if (this.data !== data || this.theme !== theme) {
      Object.assign(this, { data, theme });
      this.sheet.clear([w, h]);
      paintNodes(this.sheet, data.nodes, place, null, 1);
    }
    const ratio = k / view.k;
    this.port.style.transform = `translate(${place.x - view.x * ratio}px, ${place.y - view.y * ratio}px)`;
    this.port.style.width = `${size[0] * ratio}px`;
    this.port.style.height = `${size[1] * ratio}px`;
  }
}
