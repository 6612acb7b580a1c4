// The variants of the flows, beside the map: pointing at one highlights it there, and a click leads to its flows.

import { el } from "./elements.js";
import { icon } from "./icons.js";
import { link } from "./links.js";
import { panel } from "./panel.js";
import { badge } from "./phrases.js";
import { keyed } from "./reconcile.js";

export class Variants {
  constructor(light) {
    this.light = light;
    this.list = el("ol.variants");
    this.panel = panel(
      "Variants",
      el("h2", "Variants"),
      el("p.muted", "The ways flows took, most frequent first."),
      this.list,
    );
  }

  update(variants) {
    const items = variants.map((variant) => ({ key: variant.id, ...variant }));
    keyed(this.list, items, (variant) => el("li", this.button(variant)));
  }

  button({ events, share, count, outcome, took, part, target }) {
    const on = () => this.light(events);
    const off = () => this.light(null);
    const props = { class: "variant", on: { mouseenter: on, focus: on, mouseleave: off, blur: off } };
    return link(
      target,
      props,
      el(
        "span.row1",
        el("strong", share),
        el("span.muted", count),
        badge(outcome, outcome),
        el("span.took", took),
      ),
      el("span.share", el("i", { css: { width: `${part * 100}%` } })),
      el(
        "span.path",
        events.map((event, at) => [at ? icon("arrow", 10) : null, el("span", event)]),
      ),
    );
  }
}
