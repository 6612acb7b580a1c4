// The buttons of a drawing, one for each of its keys, and its search.

import { press } from "./buttons.js";
import { el } from "./elements.js";
import { link } from "./links.js";

export class Toolbar {
  // `view` has a method for each button.
  constructor(view) {
    this.view = view;
    this.problem = tool("Problem", () => view.problem(), "Next problem", "N");
    this.folding = tool("Fold", () => view.fold(), "Fold or unfold the branch", "E");
    this.finding = tool("Find", () => this.search(), "Find in this drawing", "/");
    this.leads = el("span");
    this.said = el("span.muted", { role: "status" });
    const type = (event) => this.type(event);
    const props = { placeholder: "Event type or service", "aria-label": "Find in this drawing" };
    this.field = el("input", { ...props, on: { input: () => this.look(false), keydown: type } });
    this.box = el("span.finding", { hidden: true }, this.field, this.said);
    const save = (form) => tool(form, () => view.save(form.toLowerCase()), `Save as ${form}`);
    this.bar = el(
      "div.tools",
      { role: "toolbar", "aria-label": "View" },
      this.box,
      this.leads,
      tool("+", () => view.closer(), "Zoom in", "+"),
      tool("\u2212", () => view.farther(), "Zoom out", "-"),
      tool("Fit", () => view.fit(), "Fit", "F"),
      this.problem,
      this.folding,
      this.finding,
      save("SVG"),
      save("PNG"),
    );
  }

  // Which buttons can do something now?
  show({ problems, ids, selected, data }) {
    this.problem.disabled = !problems.length;
    const { fold, flows, flowsLabel } = ids.get(selected) || {};
    this.leads.replaceChildren(flows ? link(flows, {}, flowsLabel) : "");
    this.folding.hidden = !data.folds;
    this.folding.disabled = !fold;
    this.folding.textContent = fold === "open" ? "Unfold" : "Fold";
  }

  search() {
    this.box.hidden = false;
    this.field.focus();
    this.field.select();
    this.look(false);
  }

  type(event) {
    if (event.key === "Enter") this.look(true);
    else if (event.key !== "Escape") return;
    else this.close();
    event.preventDefault();
    event.stopPropagation();
  }

  close() {
    this.box.hidden = true;
    this.view.light();
    this.view.stage.focus({ preventScroll: true });
  }

  look(next) {
    const text = this.field.value;
    const [at, count] = this.view.find(text, next);
    this.said.textContent = text && (count ? `${at ? `${at} of ` : ""}${count}` : "none");
  }
}

function tool(label, run, title, key) {
  const says = { title: key ? `${title} (${key})` : title, "aria-label": title, "aria-keyshortcuts": key };
  return el("button", press(run, says), label);
}
