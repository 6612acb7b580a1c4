// Everything about the selected step, beside the drawing.

import { moment } from "./ages.js";
import { Attributes } from "./attributes.js";
import { press } from "./buttons.js";
import { el } from "./elements.js";
import { panel } from "./panel.js";
import { badge, named, said, stripe } from "./phrases.js";
import { TextView } from "./text_view.js";

export class InspectorView extends TextView {
  constructor(root, act) {
    super(root, act);
    this.lists = ["ids", "attributes", "resource"].map((name) => new Attributes(name));
  }

  // Where its reader is outlives a refresh.
  update(data) {
    const down = this.root.firstChild?.scrollTop;
    super.update(data);
    const step = JSON.stringify([data.title, data.ids]);
    if (step === this.step) this.root.firstChild.scrollTop = down;
    this.step = step;
  }

  draw(data) {
    const at = data.at && el("span.muted", { title: moment(data.time) }, ` \u00b7 ${data.at}`);
    return panel(
      "Inspector",
      el("h2", named(data.title, 60), " ", data.badge && badge(data.badge.state, data.badge.text)),
      el("p.by", stripe(data.colour), named(data.service), at),
      data.sentence && el("p", said(data.sentence)),
      data.expected && el("p.muted", data.expected),
      data.timed &&
        el("dl.metrics", metric("Waited", data.waited, "hatch"), metric("Worked", data.worked, "solid")),
      (data.remarks || []).map((remark) => el("p.remark", remark)),
      (data.facts || []).map((fact) => el("p.muted", fact)),
      this.proofs("Evidence", data.evidence),
      this.proofs("Notes", data.notes),
      this.neighbours("Caused by", data.causes, data.rootless || "nothing seen: the flow starts here"),
      this.neighbours("Led to", data.effects, "nothing further"),
      data.blocked && [
        el("h3", "Blocked"),
        el(
          "ul",
          data.blocked.map((name) => el("li", el("code", name))),
        ),
      ],
      this.lists.map((list) => list.update(data[list.name])),
      this.proofs("Notes on other steps", data.elsewhere),
    );
  }

  chooser(id) {
    return press(() => this.act.trigger("select", id));
  }

  neighbours(title, items, empty) {
    const listed = items.map(({ id, colour, title: name, at, because, certainty, more }) => {
      if (more) return el("li.muted", more);
      const button = el("button.linkish", this.chooser(id), stripe(colour), el("code", name));
      const how = because && el("span", { class: `because ${certainty}` }, because);
      return el("li", button, el("span.muted", ` ${at}`), how);
    });
    return [el("h3", title), listed.length ? el("ul", listed) : el("p.muted", empty)];
  }

  proofs(title, items) {
    if (!items?.length) return null;
    const listed = items.map(({ id, text, ref }) => {
      const span = ref && el("code.muted", { title: ref }, ` ${ref.split(":").pop()}`);
      return el("li", id ? el("button.linkish", this.chooser(id), text) : text, span);
    });
    return [el("h3", title), el("ul.evidence", listed)];
  }
}

function metric(name, value, kind) {
  return el("div", el("dt", el("i", { class: kind }), name), el("dd", value || "\u2014"));
}
