// A table with pills above it, which narrow it, and a button below it that shows more.

import { press } from "./buttons.js";
import { el } from "./elements.js";
import { icon } from "./icons.js";
import { named } from "./phrases.js";
import { keyed } from "./reconcile.js";
import { headed } from "./tables.js";

export class SheetView {
  constructor(root, act, columns, row) {
    this.act = act;
    this.row = row;
    this.body = el("tbody");
    this.foot = el("p.more");
    this.pills = el("div.pills", { role: "group", "aria-label": "State" });
    this.sheet = el("div.sheet", el("table", headed(columns), this.body));
    root.replaceChildren(this.pills, this.sheet, this.foot);
  }

  update(data) {
    keyed(this.pills, data.pills, (item) => this.pill(item));
    this.sheet.hidden = !data.rows.length;
    keyed(this.body, data.rows, this.row);
    const more = () => this.act.trigger("act", { more: true });
    this.foot.replaceChildren(data.showing, " ", data.more ? el("button.plain", press(more), data.more) : "");
  }

  pill(data) {
    const choose = press(() => this.act.trigger("act", data.act), { "aria-pressed": String(data.on) });
    const count = el("b", named(data.count));
    return el("button.plain", choose, data.label, " ", count, data.on && icon("cross", 10));
  }
}
