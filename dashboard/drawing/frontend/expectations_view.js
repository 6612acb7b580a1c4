// What is expected of whom after what: a row for each step.

import { el } from "./elements.js";
import { HeadView } from "./head_view.js";
import { said, stripe } from "./phrases.js";
import { SheetView } from "./sheet_view.js";
import { leading } from "./tables.js";

export class ExpectationsView extends SheetView {
  constructor(root, act) {
    super(root, act, stepRow);
    const top = el("div");
    this.head = new HeadView(top, act);
    root.prepend(top);
  }

  update(data) {
    this.head.update(data.head);
    super.update(data);
  }
}

function stepRow({ target, colour, texts, numbers }) {
  const [service, ...others] = texts.map(said);
  const cells = numbers.map((parts) => el("td.num", said(parts)));
  return leading(target, [stripe(colour), service], ...others, ...cells);
}
