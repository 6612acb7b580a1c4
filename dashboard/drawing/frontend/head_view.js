// The headline of a page, with badges, sentences and notes.

import { ageText } from "./ages.js";
import { copyButton } from "./buttons.js";
import { el } from "./elements.js";
import { badge, named, said } from "./phrases.js";
import { TextView } from "./text_view.js";

export class HeadView extends TextView {
  draw(data) {
    this.checked = data.checked ? this.lastCheck(data) : null;
    const line = el("h1", said(data.title));
    if (data.key) line.append(" ", el("code.key", named(data.key, 60)), copyButton(data.key, "flow key"));
    for (const item of data.badges || []) {
      line.append(" ", badge(item.state, item.text, item.since && [" ", ageText(item.since)]));
    }
    const lines = (data.lines || []).map((parts) => el("p.lead", said(parts)));
    const notes = (data.notes || []).map((note) => el("span.chip", { title: note.title || "" }, note.text));
    const top = el("div.line", line, this.checked);
    return el("header.head", top, lines, notes.length > 0 && el("p.notes", notes));
  }

  lastCheck(data) {
    const kind = data.stale ? "checked stale" : "checked";
    return el("span", { class: kind }, ageText(data.checked, "checked % ago"));
  }
}
