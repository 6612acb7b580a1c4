// A table with pills above it, which narrow it, and a button below it that shows more.

import { press } from "./buttons.js";
import { el } from "./elements.js";
import { icon } from "./icons.js";
import { named } from "./phrases.js";
import { keyed } from "./reconcile.js";
import { headed } from "./tables.js";

export class SheetView {
  constructor(root, act, row) {
    this.act = act;
    this.row = row;
    this.table = el("table");
    this.body = el("tbody");
    this.foot = el("p.more");
    this.pills = el("div.pills", { role: "group", "aria-label": "State" });
    this.sheet = el("div.sheet", this.table);
    root.replaceChildren(this.pills, this.sheet, this.foot);
  }

  update(data) {
    keyed(this.pills, data.pills, (item) => this.pill(item));
    this.sheet.hidden = !data.rows.length;
    const head = JSON.stringify([data.columns, data.sorts]);
    if (head !== this.head_) {
      this.head_ = head;
      this.body.kept = null; // rows of other columns are drawn anew
      const sort = (by) => this.act.trigger("act", { sort: by });
      this.table.replaceChildren(headed(data.columns, data.sorts, sort), this.body);
    }
    keyed(this.body, data.rows, (item) => this.row(item, data.columns));
    const more = () => this.act.trigger("act", { more: true });
    this.foot.replaceChildren(data.showing, " ", data.more ? el("button.plain", press(more), data.more) : "");
  }

  pill(data) {
    const choose = press(() => this.act.trigger("act", data.act), { "aria-pressed": String(data.on) });
    const count = el("b", named(data.count));
    return el("button.plain", choose, data.label, " ", count, data.on && icon("cross", 10));
  }
}
