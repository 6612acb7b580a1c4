// Names and values, those that matter first. The others are a button or a search away, and so is the rest of
// a long value.

import { copyButton, press } from "./buttons.js";
import { el } from "./elements.js";

const FIRST_PAIRS = 40;
const LONG = 600;
// A list that is shorter than this is searched at a glance.
const SEARCHED = 8;

export class Attributes {
  constructor(name) {
    this.name = name;
    const title = name[0].toUpperCase() + name.slice(1);
    this.list = el("dl.pairs");
    this.more = el(
      "button.linkish",
      press(() => {
        this.all = true;
        this.show();
      }),
    );
    // Streamlit has shortcuts for letters, and cannot see that these are typed into a field.
    const on = { input: () => this.show(), keydown: (event) => event.stopPropagation() };
    const says = { type: "search", placeholder: "Search", "aria-label": `Search in ${name}`, on };
    this.field = el("input", says);
    this.box = el("div", el("h3", title), this.field, this.list, this.more);
  }

  update(items) {
    this.items = items;
    this.box.hidden = !items.length;
    this.field.hidden = items.length <= SEARCHED;
    if (this.field.hidden) this.field.value = "";
    this.show();
    return this.box;
  }

  show() {
    const text = this.field.value.trim().toLowerCase();
    const found = this.items.filter((pair) => pair.join("\n").toLowerCase().includes(text));
    const shown = this.all || text ? found : found.slice(0, FIRST_PAIRS);
    this.list.replaceChildren(...shown.flatMap(([name, value]) => [el("dt", name), attribute(name, value)]));
    const rest = shown.length < found.length && `show all ${found.length}`;
    this.more.textContent = rest || (found.length ? "" : "none has this in its name or value");
    this.more.disabled = !rest;
  }
}

function attribute(name, value) {
  const copy = value.length > 24 && copyButton(value, name);
  if (value.length <= LONG) return el("dd", value, copy);
  const all = press(() => cell.replaceChildren(...el("dd", value, copy).childNodes));
  const more = el("button.linkish", all, `all ${value.length} characters`);
  const cell = el("dd", `${value.slice(0, LONG)}\u2026 `, more, copy);
  return cell;
}
