// A notice above the content or instead of it: what is wrong, and what to do about it.

import { copyButton, press } from "./buttons.js";
import { el } from "./elements.js";
import { link } from "./links.js";
import { said } from "./phrases.js";
import { TextView } from "./text_view.js";

export class NoticeView extends TextView {
  draw(data) {
    const codes = (data.commands || []).map(({ label, text }) =>
      el("div.command", el("span.muted", label), el("code", text), copyButton(text, label)),
    );
    const actions = (data.actions || []).map(({ id, label }) =>
      el(
        "button.plain",
        press(() => this.act.trigger("act", id)),
        label,
      ),
    );
    const links = (data.links || []).map(({ target, label }) => link(target, { class: "plain" }, label));
    return el(
      "section",
      { class: `notice ${data.tone || ""}`, role: data.tone === "amber" && "status" },
      data.waiting && el("span.waiting", { "aria-hidden": "true" }),
      el(
        "div",
        data.title && el("h2", said(data.title)),
        (data.lines || []).map((parts) => el("p", said(parts))),
        codes,
        actions.length + links.length > 0 && el("p.actions", actions, links),
        data.detail &&
          el("details", el("summary", "Detail"), el("pre", data.detail), copyButton(data.detail, "detail")),
      ),
    );
  }
}
