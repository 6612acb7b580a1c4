// A flow in time: a row for each step, hatched while it waited, solid while it worked.

import { ageText } from "./ages.js";
import { el } from "./elements.js";
import { LEGEND_OF_A_FLOW, legend } from "./legend.js";
import { stripe } from "./phrases.js";
import { oneLine } from "./plain_text.js";
import { keyed } from "./reconcile.js";
import { nextOf, problemsOf } from "./selection.js";

export class TimelineView {
  constructor(root, act) {
    this.act = act;
    this.axis = el("div.axis");
    this.rows = el("div.rows");
    this.bands = el("div.bands");
    this.box = el(
      "div.timeline",
      { tabindex: 0, role: "group", "aria-label": "Timeline", on: { keydown: (event) => this.key(event) } },
      el("div.axisrow", el("span.muted", "event \u00b7 reacting service"), this.axis),
      el("div.body", this.bands, this.rows),
    );
    root.replaceChildren(el("div.frame", { data: { height: "fill" } }, this.box, legend(LEGEND_OF_A_FLOW)));
  }

  update(data) {
    this.data = data;
    const lines = data.ticks.map(({ x }) => ({ key: `t${x}`, x }));
    const idle = data.idle.map((band) => ({ key: `b${band.x0}`, ...band }));
    keyed(this.axis, data.ticks, tickLabel);
    keyed(this.bands, [...idle, ...lines], (item) => (item.label ? idleBand(item) : tickLine(item)));
    keyed(this.rows, data.rows, (row) => this.row(row));
    this.adopt(data.selected);
    if (!this.opened) this.open(data);
    return data.rows.length;
  }

  // Opens at the selection, or else at the problem.
  open({ selected, rows }) {
    this.opened = true;
    const problem = rows.find((row) => row.kind === "ghost" || row.state === "failed");
    requestAnimationFrame(() => this.show(selected || problem?.key));
  }

  row(data) {
    const props = {
      class: `row ${data.kind} ${data.state}`,
      data: { ref: data.key },
      on: { click: () => this.choose(data.key) },
    };
    const indent = { css: { "padding-left": `${Math.min(data.depth, 12) * 9}px` } };
    const silent = { "aria-hidden": "true" };
    // The name of the button says what else is in the row.
    const button = { role: "button", tabindex: -1, "aria-label": data.label, "aria-pressed": "false" };
    const what = el("span.what", button, ends(data.title));
    const service = el("small.muted", silent, data.service);
    return el(
      "div",
      props,
      el("span.name", indent, stripe(data.colour), what, service),
      el("span.track", silent, track(data)),
    );
  }

  node(id) {
    return id ? [...this.rows.children].find((row) => row.dataset.ref === id) : undefined;
  }

  show(id) {
    this.node(id)?.scrollIntoView({ block: "nearest", container: "nearest" });
  }

  // Adopts Python's selection, but only if Python sends a new one: the reader may be ahead of it.
  adopt(id) {
    if (id !== this.given) this.selected = this.given = id;
    for (const row of this.rows.children) {
      const selected = row.dataset.ref === this.selected;
      row.classList.toggle("selected", selected);
      row.querySelector(".what").setAttribute("aria-pressed", String(selected));
    }
  }

  choose(id) {
    this.selected = id;
    this.adopt(this.given);
    this.act.trigger("select", id || "");
  }

  key(event) {
    const next = this.wanted(event.key);
    if (next === null || next === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    this.choose(next);
    this.show(next);
  }

  // The row that a key selects: "" clears the selection, null ignores the key.
  wanted(key) {
    const order = this.data.rows.map((row) => row.key);
    const at = order.indexOf(this.selected);
    if (key === "ArrowDown") return order[Math.min(at + 1, order.length - 1)];
    if (key === "ArrowUp") return order[Math.max(at - 1, 0)];
    if (key === "Escape") return "";
    if (key !== "n" && key !== "N") return null;
    const problems = problemsOf(this.data.rows).map((row) => row.key);
    return nextOf(problems, this.selected);
  }
}

// A name that has no room loses its middle: its last letters are an element that does not shrink.
function ends(name) {
  const signs = [...oneLine(name)];
  return [el("span", signs.slice(0, -6).join("")), signs.slice(-6).join("")];
}

function tickLabel({ x, label }) {
  return el("span", { css: { left: percent(x) }, class: x > 0.97 ? "last" : "" }, label);
}

function tickLine({ x }) {
  return el("i.tick", { css: { left: percent(x) } });
}

function idleBand({ x0, x1, label }) {
  return el("i.idle", { css: { left: percent(x0), width: percent(x1 - x0) } }, el("b", label));
}

function percent(x) {
  return `${x * 100}%`;
}

function wide(from, to) {
  return { left: percent(from), width: `max(${percent(to - from)}, 2px)` };
}

// Where a label goes: after its bar, before it, or on it; and its style there.
function beside(from, to) {
  if (to <= 0.82) return ["after", { left: `calc(${percent(to)} + 8px)` }];
  if (from > 0.3) return ["before", { right: `calc(${percent(1 - from)} + 8px)` }];
  return ["inside", { right: `calc(${percent(1 - to)} + 8px)` }];
}

function track({ kind, state, wait, work, end, since, took }) {
  const [room, css] = beside(wait, end);
  if (kind === "ghost") {
    return [el("i.bar.due", { css: wide(wait, end) }), el("b.took", { css }, ageText(since, "overdue %"))];
  }
  return [
    work > wait && el("i.bar.hatch", { css: wide(wait, work) }),
    el("i", { class: `bar solid ${state}`, css: wide(work, end) }),
    el("b", { class: `took ${room} ${state}`, css }, took),
  ];
}
