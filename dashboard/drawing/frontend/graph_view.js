// A drawing of boxes and arrows: a flow as a graph, or the map of a choreography.
// Python places the boxes. A refresh keeps every drawn element, and the part that the reader is looking at.

import { arrow, arrowClass, pill } from "./arrows.js";
import { fitted, followed, opened, resized, revealed, zoomed } from "./camera.js";
import { card } from "./cards.js";
import { el, sv } from "./elements.js";
import { LEGEND_OF_A_FLOW, legend } from "./legend.js";
import { go, link } from "./links.js";
import { Minimap } from "./minimap.js";
import { Pointer } from "./pointer.js";
import { keyed } from "./reconcile.js";
import { neighbour, nextOf, problemsOf, related } from "./selection.js";
import { Variants } from "./variants.js";

// Below this scale the boxes' second lines are hidden.
const FAR = 0.5;
const CLOSER = 1.25;
const FARTHER = 0.8;

const WAYS = {
  down: { ArrowUp: "cause", ArrowDown: "effect", ArrowLeft: -1, ArrowRight: 1 },
  right: { ArrowLeft: "cause", ArrowRight: "effect", ArrowUp: -1, ArrowDown: 1 },
};

export class GraphView {
  constructor(root, act) {
    this.act = act;
    this.nodes = new Map();
    this.edges = new Map();
    this.view = null;
    this.edgeLayer = sv("g", { class: "edges" });
    this.nodeLayer = sv("g", { class: "nodes" });
    this.labelLayer = sv("g", { class: "labels" });
    this.world = sv("g", { class: "world" }, this.edgeLayer, this.nodeLayer, this.labelLayer);
    this.svg = sv("svg", { class: "canvas" }, sv("defs", {}, hatch()), this.world);
    this.minimap = new Minimap();
    this.leads = el("span");
    this.problemButton = tool("Problem", () => this.problem(), "Next problem", "N");
    const tools = el(
      "div.tools",
      { role: "toolbar", "aria-label": "View" },
      this.leads,
      tool("+", () => this.zoom(CLOSER), "Zoom in", "+"),
      tool("\u2212", () => this.zoom(FARTHER), "Zoom out", "-"),
      tool("Fit", () => this.fit(), "Fit", "F"),
      this.problemButton,
    );
    const stage = { tabindex: 0, role: "group", on: { keydown: (event) => this.key(event) } };
    this.stage = el("div.stage", stage, this.svg, tools, this.minimap.svg);
    this.legend = el("div");
    this.side = el("div.side");
    const frame = el("div.frame", { data: { height: "fill" } }, this.stage, this.legend);
    root.replaceChildren(el("div.withside", frame, this.side));
    this.pointer = new Pointer(this.svg, {
      view: () => this.view,
      pan: (x, y) => this.pan(x, y),
      zoomAt: (by, point) => this.zoom(by, point),
    });
    this.svg.addEventListener("click", () => {
      if (!this.pointer.dragged && this.selected) this.select(null, true);
    });
    this.sized = new ResizeObserver(() => this.resize());
    this.sized.observe(this.stage);
  }

  destroy() {
    this.sized.disconnect();
  }

  update(data) {
    // Once a drawing has grown, it stays where it is.
    this.kept ||= Boolean(this.view) && String(this.data.bounds) !== String(data.bounds);
    this.data = data;
    this.stage.setAttribute("aria-label", data.label);
    const items = data.legend || LEGEND_OF_A_FLOW;
    keyed(this.legend, [{ key: "legend", items }], () => legend(items));
    this.problems = problemsOf(data.nodes).map((node) => node.id);
    this.problemButton.disabled = !this.problems.length;
    if (this.view) this.view = followed(this.view, data.nodes, (id) => this.nodes.get(id)?.node);
    this.drawNodes(data.nodes);
    this.drawEdges(data.edges);
    if (data.variants) this.drawSide(data.variants);
    if (data.selected !== this.given) {
      this.given = data.selected;
      this.select(data.selected, false);
    } else this.light();
    if (!this.view && this.stage.clientWidth) this.open();
    else this.apply();
    return data.nodes.length;
  }

  // ---- drawing

  drawNodes(nodes) {
    const left = new Set(this.nodes.keys());
    for (const node of nodes) {
      left.delete(node.id);
      const { x, y, ...look } = node;
      const text = JSON.stringify(look);
      const held = this.nodes.get(node.id) || this.addNode(node.id);
      if (held.text !== text) {
        held.text = text;
        const fresh = held.g.classList.contains("new") ? "new" : "";
        held.g.setAttribute("class", `node ${node.kind} ${node.state || ""} ${fresh}`);
        held.g.setAttribute("aria-label", node.label);
        held.g.replaceChildren(...card(node));
      }
      held.g.style.transform = `translate(${x}px, ${y}px)`;
      held.node = node;
    }
    dropAll(this.nodes, left);
  }

  addNode(id) {
    const g = sv("g", { role: "button", tabindex: -1, data: { ref: id } });
    g.classList.add("new");
    g.addEventListener("click", (event) => {
      event.stopPropagation();
      if (!this.pointer.dragged) this.pick(id);
    });
    return this.add(this.nodes, this.nodeLayer, id, g);
  }

  drawEdges(edges) {
    const left = new Set(this.edges.keys());
    this.labelLayer.replaceChildren();
    for (const edge of edges) {
      const id = `${edge.s}>${edge.t}>${edge.via || ""}`;
      left.delete(id);
      const text = JSON.stringify(edge);
      const held = this.edges.get(id) || this.add(this.edges, this.edgeLayer, id, sv("g", {}));
      held.edge = edge;
      if (edge.label || edge.stuck) this.labelLayer.append(pill(edge));
      if (held.text === text) continue;
      held.text = text;
      held.g.setAttribute("class", arrowClass(edge));
      held.g.replaceChildren(...arrow(edge, this.data.direction));
    }
    dropAll(this.edges, left);
  }

  add(drawn, layer, id, g) {
    const held = { g };
    drawn.set(id, held);
    layer.append(g);
    return held;
  }

  drawSide(variants) {
    if (!this.variants) {
      this.variants = new Variants((events) => this.trace(events));
      this.side.replaceChildren(this.variants.panel);
    }
    this.variants.update(variants);
  }

  // ---- selection

  pick(id) {
    this.kept = true;
    this.select(id, true);
    this.nodes.get(id)?.g.focus({ preventScroll: true });
  }

  // `soft` is for a drawing that opens at its problem: the rest fades less, and Python is not told.
  select(id, tell, soft = false) {
    this.selected = id && this.nodes.has(id) ? id : null;
    this.soft = soft;
    this.light();
    if (tell) this.act.trigger("select", this.selected || "");
  }

  // Highlights what led to the selection and what followed from it. The browser does this alone, to be fast.
  light() {
    const start = performance.now();
    const chosen = Boolean(this.selected);
    this.illuminate(chosen ? related(this.links(), this.selected) : new Set(), chosen, this.soft);
    for (const [id, { g }] of this.nodes) {
      g.classList.toggle("selected", id === this.selected && !this.soft);
      g.setAttribute("aria-pressed", id === this.selected ? "true" : "false");
    }
    const { flows, flowsLabel } = this.chosen();
    this.leads.replaceChildren(flows ? link(flows, {}, flowsLabel) : "");
    this.stage.dataset.highlightMs = (performance.now() - start).toFixed(2);
  }

  chosen() {
    return this.nodes.get(this.selected)?.node || {};
  }

  // Highlights the events of a variant; null ends the highlight.
  trace(events) {
    this.illuminate(new Set(events || []), Boolean(events), false);
  }

  illuminate(lit, chosen, soft) {
    this.svg.classList.toggle("chosen", chosen && !soft);
    this.svg.classList.toggle("soft", chosen && Boolean(soft));
    for (const [id, { g }] of this.nodes) g.classList.toggle("lit", lit.has(id));
    for (const { g, edge } of this.edges.values()) {
      g.classList.toggle("lit", lit.has(edge.s) && lit.has(edge.t));
    }
  }

  links() {
    return [...this.edges.values()].map((held) => held.edge);
  }

  problem() {
    this.walk(nextOf(this.problems, this.selected));
  }

  step(way) {
    this.walk(neighbour({ ...this.data, edges: this.links() }, this.selected, way));
  }

  walk(id) {
    if (!id) return;
    this.pick(id);
    this.reveal(id);
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const way = WAYS[this.data.direction][event.key];
    const run = way ? () => this.step(way) : this.shortcut(event.key.toLowerCase());
    if (!run || event.target.closest("button")) return;
    event.preventDefault();
    event.stopPropagation();
    run();
  }

  shortcut(key) {
    const shortcuts = {
      f: () => this.fit(),
      "+": () => this.zoom(CLOSER),
      "=": () => this.zoom(CLOSER),
      "-": () => this.zoom(FARTHER),
      n: () => this.problem(),
      escape: () => this.select(null, true),
      enter: () => this.enter(),
    };
    return shortcuts[key];
  }

  // To the flows of a box of the map; a message of a flow is opened in the inspector.
  enter() {
    const { flows } = this.chosen();
    if (flows) go(flows);
    else if (this.selected) this.act.trigger("select", this.selected);
  }

  // ---- camera

  size() {
    return [this.stage.clientWidth, this.stage.clientHeight];
  }

  // Opens at the selection, else at the problem, else at the beginning: see `camera.js`.
  open() {
    const size = this.size();
    if (!size[0] || !size[1]) return;
    const [problem] = this.problems;
    if (problem && this.data.soft && !this.selected) this.select(problem, false, true);
    const at = this.selected || problem || this.data.nodes[0]?.id;
    this.look(opened(size, this.data.bounds, this.nodes.get(at)?.node));
  }

  fit() {
    this.kept = true;
    this.look(fitted(this.size(), this.data.bounds));
  }

  zoom(by, at) {
    this.kept = true;
    const [w, h] = this.size();
    this.look(zoomed(this.view, by, at || [w / 2, h / 2]));
  }

  reveal(id) {
    const node = this.nodes.get(id)?.node;
    if (node) this.look(revealed(this.view, this.size(), node));
  }

  pan(x, y) {
    this.kept = true;
    this.look({ ...this.view, x, y });
  }

  // A drawing that its reader has not touched opens anew, by the same rule; else only its frame changes.
  resize() {
    if (!this.data || !this.stage.clientHeight) return;
    if (this.view && this.kept) this.look(resized(this.view, this.seen, this.size()));
    else this.open();
  }

  look(view) {
    this.view = view;
    this.seen = this.size();
    this.apply();
  }

  apply() {
    if (!this.view) return;
    const { k, x, y } = this.view;
    const place = `translate(${x.toFixed(2)} ${y.toFixed(2)}) scale(${k.toFixed(4)})`;
    this.world.setAttribute("transform", place);
    this.svg.classList.toggle("far", k < FAR);
    this.minimap.update(this.view, this.size(), this.data);
  }
}

function tool(label, run, title, key) {
  const says = { title: `${title} (${key})`, "aria-label": title, "aria-keyshortcuts": key };
  return el("button", { ...says, on: { click: run } }, label);
}

// The pattern of waiting bars.
function hatch() {
  const props = {
    id: "hatch",
    width: 5,
    height: 5,
    patternUnits: "userSpaceOnUse",
    patternTransform: "rotate(45)",
  };
  return sv("pattern", props, sv("rect", { class: "hatchline", width: 2.6, height: 5 }));
}

function dropAll(drawn, ids) {
  for (const id of ids) {
    drawn.get(id).g.remove();
    drawn.delete(id);
  }
}
