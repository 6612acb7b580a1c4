// The demo shop's services, each with buttons to break it and to mend it.

import { press } from "./buttons.js";
import { el } from "./elements.js";
import { stripe } from "./phrases.js";
import { keyed } from "./reconcile.js";

const EXPLAINED = "The demo shop runs beside this page. Break a service of it and see which orders stop.";

export class FaultsView {
  constructor(root, act) {
    this.act = act;
    this.list = el("ul.faults");
    root.replaceChildren(el("p.muted", EXPLAINED), this.list);
  }

  update(data) {
    keyed(this.list, data.services, (item) => this.service(item, data.kinds));
  }

  service({ service, colour, fault, status }, kinds) {
    const options = kinds.map((kind) => el("option", { value: kind.id }, kind.label));
    const choose = el("select", { "aria-label": `How to break ${service}` }, options);
    const change = (what) => press(() => this.act.trigger("act", { what, service, how: choose.value }));
    return el(
      "li",
      stripe(colour),
      el("span.who", service, el("small", { class: fault ? "broken" : "muted" }, status)),
      fault
        ? el("button.plain", change("mend"), "Mend")
        : [choose, el("button.plain", change("break"), "Break")],
    );
  }
}
