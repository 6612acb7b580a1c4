// A drawing of boxes and arrows: a flow as a graph, or the map of a choreography.
// Python places the boxes. A refresh keeps every drawn element, and the part that the reader is looking at.

import { arrow, arrowClass, pill } from "./arrows.js";
import { linesOf, paintLines, paintNodes, sheetOf } from "./blocks.js";
import { fitted, followed, opened, resized, revealed, zoomed } from "./camera.js";
import { card } from "./cards.js";
import { boxAt, boxOfEdge, boxOfNode, visible } from "./culling.js";
import { el, sv } from "./elements.js";
import { hatch } from "./hatch.js";
import { Layer } from "./layer.js";
import { LEGEND_OF_A_FLOW, legend } from "./legend.js";
import { go } from "./links.js";
import { Minimap } from "./minimap.js";
import { Pointer } from "./pointer.js";
import { keyed } from "./reconcile.js";
import { found, linked, neighbour, nextOf, problemsOf, related } from "./selection.js";
import { Toolbar } from "./toolbar.js";
import { Variants } from "./variants.js";

// Below these scales the boxes' second lines are hidden, and all is painted as blocks.
const FAR = 0.5;
const FARTHEST = 0.28;
const CLOSER = 1.25;
const FARTHER = 0.8;
// Elements are made this many pixels outside of the window, and kept for another while.
const NEAR = 160;
const AWAY = 700;
// How visible what does not belong to the selection is: as in graph_view.css.
const FADED = 0.22;
const SOFT = 0.62;

const WAYS = {
  down: { ArrowUp: "cause", ArrowDown: "effect", ArrowLeft: -1, ArrowRight: 1 },
  right: { ArrowLeft: "cause", ArrowRight: "effect", ArrowUp: -1, ArrowDown: 1 },
};

export class GraphView {
  constructor(root, act) {
    this.root = root;
    this.act = act;
    this.ids = new Map();
    this.view = this.lit = null;
    const [edges, nodes, labels] = ["edges", "nodes", "labels"].map((kind) => sv("g", { class: kind }));
    this.nodes = new Layer(
      nodes,
      (item) => this.makeNode(item),
      (g, item, same) => this.dressNode(g, item, same),
    );
    const bare = () => sv("g", {});
    this.edges = new Layer(edges, bare, (g, item, same) => this.dressEdge(g, item, same));
    this.labels = new Layer(labels, bare, (g, { edge }, same) => same || g.replaceChildren(pill(edge)));
    this.world = sv("g", { class: "world" }, edges, nodes, labels);
    this.svg = sv("svg", { class: "canvas" }, sv("defs", {}, hatch()), this.world);
    this.far = sheetOf("blocks");
    this.minimap = new Minimap();
    this.tools = new Toolbar(this);
    const stage = { tabindex: 0, role: "group", on: { keydown: (event) => this.key(event) } };
    this.stage = el("div.stage", stage, this.far.canvas, this.svg, this.tools.bar, this.minimap.box);
    this.legend = el("div");
    this.side = el("div.side");
    const frame = el("div.frame", { data: { height: "fill" } }, this.stage, this.legend);
    root.replaceChildren(el("div.withside", frame, this.side));
    this.pointer = new Pointer(this.svg, {
      view: () => this.view,
      pan: (x, y) => this.pan(x, y),
      zoomAt: (by, point) => this.zoom(by, point),
    });
    this.svg.addEventListener("click", (event) => this.click(event));
    this.svg.addEventListener("dblclick", () => this.fold());
    this.sized = new ResizeObserver(() => this.resize());
    this.sized.observe(this.stage);
  }

  destroy() {
    this.sized.disconnect();
  }

  update(data) {
    // Once a drawing has grown, it stays where it is.
    this.kept ||= Boolean(this.view) && String(this.data.bounds) !== String(data.bounds);
    const before = this.ids;
    this.data = data;
    this.ids = new Map(data.nodes.map((node) => [node.id, node]));
    this.links = linked(data.edges);
    this.lines = linesOf(data.edges);
    this.stage.setAttribute("aria-label", data.label);
    const items = data.legend || LEGEND_OF_A_FLOW;
    keyed(this.legend, [{ key: "legend", items, told: data.told }], () => legend(items, data.told));
    this.problems = problemsOf(data.nodes).map((node) => node.id);
    if (this.view) this.follow(before);
    this.fresh = before.size ? (id) => !before.has(id) : () => true;
    this.nodes.update(data.nodes.map(nodeItem));
    this.edges.update(data.edges.map(edgeItem));
    this.labels.update(data.edges.filter((edge) => edge.label || edge.stuck).map(edgeItem));
    if (data.variants) this.drawSide(data.variants);
    if (data.selected !== this.given && !this.isOlder(data.selected)) {
      this.given = data.selected;
      this.select(data.selected, false);
    } else if (this.selected && !this.ids.has(this.selected)) this.select(null, false);
    else this.light();
    if (!this.view && this.stage.clientWidth) this.open();
    else this.apply();
    return data.nodes.length;
  }

  // What was folded or unfolded stays where it is; else the window follows what moves as a whole.
  follow(before) {
    const [from, to] = [before.get(this.folding), this.ids.get(this.folding)];
    this.folding = null;
    const stays = from && to ? [to] : this.data.nodes;
    this.view = followed(this.view, stays, (id) => before.get(id));
  }

  // ---- drawing

  makeNode({ id }) {
    const hit = sv("g", { role: "button", tabindex: -1, class: "hit", data: { ref: id } });
    const g = sv("g", {}, hit);
    if (this.fresh(id)) g.classList.add("new");
    return g;
  }

  dressNode(g, { node }, same) {
    const hit = g.firstChild;
    if (!same) {
      const fresh = g.classList.contains("new") ? "new" : "";
      g.setAttribute("class", `node ${node.kind} ${node.state || ""} ${fresh}`);
      while (g.lastChild !== hit) g.lastChild.remove();
      g.append(card(node, hit)); // its button stays, and with it the focus
    }
    const place = `translate(${node.x}px, ${node.y}px)`;
    if (g.style.transform !== place) g.style.transform = place;
    // What a box says of its neighbours changes more often than the box.
    if (hit.getAttribute("aria-label") !== node.label) {
      hit.setAttribute("aria-label", node.label);
      hit.firstChild.textContent = node.tip || node.label;
    }
    this.shineNode(g, node.id);
  }

  dressEdge(g, { edge }, same) {
    if (!same) {
      g.setAttribute("class", arrowClass(edge));
      g.replaceChildren(...arrow(edge, this.data.direction));
    }
    g.classList.toggle("lit", this.shines(edge));
  }

  drawSide(variants) {
    if (!this.variants) {
      this.variants = new Variants((events) => this.illuminate(events && new Set(events), false));
      this.side.replaceChildren(this.variants.panel);
    }
    this.variants.update(variants);
  }

  // ---- selection

  click(event) {
    if (this.pointer.dragged) return;
    const id = event.target.closest(".node")?.firstChild.dataset.ref || (this.tiny() && this.under(event));
    if (id) this.pick(id);
    else if (this.selected && !event.target.closest(".pill")) this.select(null, true);
  }

  // The box under the pointer, where boxes are blocks.
  under({ clientX, clientY }) {
    const { left, top } = this.svg.getBoundingClientRect();
    const { k, x, y } = this.view;
    return boxAt(this.data.nodes, [(clientX - left - x) / k, (clientY - top - y) / k], 4 / k);
  }

  pick(id) {
    this.kept = true;
    this.select(id, true);
    this.nodes.ensure(id)?.g.firstChild.focus({ preventScroll: true });
  }

  // Was this selection sent before Python knew what its reader chose since? A slow page sends it late.
  isOlder(selected) {
    if ((selected || "") === this.asked) this.patience = 0;
    return performance.now() < this.patience;
  }

  // `soft` is for a drawing that opens at its problem: the rest fades less, and Python is not told.
  select(id, tell, soft = false) {
    this.selected = this.ids.has(id) ? id : null;
    this.soft = soft;
    this.light();
    if (!tell) return;
    [this.asked, this.patience] = [this.selected || "", performance.now() + 5000];
    this.act.trigger("select", this.asked);
  }

  // Highlights what led to the selection and what followed from it. The browser does this alone, to be fast.
  light() {
    const start = performance.now();
    this.illuminate(this.selected ? related(this.links, this.selected) : null, this.soft);
    this.tools.show(this);
    this.stage.dataset.highlightMs = (performance.now() - start).toFixed(2);
  }

  // Highlights the boxes `lit` and the arrows between them; null ends the highlight.
  illuminate(lit, soft) {
    this.lit = lit;
    this.faded = soft ? SOFT : FADED;
    this.svg.classList.toggle("chosen", Boolean(lit) && !soft);
    this.svg.classList.toggle("soft", Boolean(lit && soft));
    for (const [id, { g }] of this.nodes.drawn) this.shineNode(g, id);
    for (const { g, item } of this.edges.drawn.values()) g.classList.toggle("lit", this.shines(item.edge));
    if (this.view && this.tiny()) this.paint();
  }

  shineNode(g, id) {
    const pressed = id === this.selected && !this.soft;
    g.classList.toggle("lit", Boolean(this.lit?.has(id)));
    g.classList.toggle("selected", pressed);
    const hit = g.firstChild;
    if (hit.getAttribute("aria-pressed") !== String(pressed))
      hit.setAttribute("aria-pressed", String(pressed));
  }

  shines({ s, t }) {
    return Boolean(this.lit?.has(s) && this.lit.has(t));
  }

  problem() {
    this.walk(nextOf(this.problems, this.selected));
  }

  // Shows what has this text in its name; `next` goes to the next one.
  find(text, next) {
    const ids = found(this.data.nodes, text);
    if (next) this.walk(nextOf(ids, this.selected), true);
    else if (text) this.illuminate(new Set(ids), false);
    else this.light();
    return [ids.indexOf(this.selected) + 1, ids.length];
  }

  step(way) {
    const { nodes, direction } = this.data;
    this.walk(neighbour({ nodes, direction, links: this.links }, this.selected, way));
  }

  walk(id, finding = false) {
    if (!id) return;
    this.kept = true;
    this.reveal(id);
    if (finding) this.select(id, true);
    else this.pick(id);
  }

  // Folds what follows from the selected box, or unfolds it. Python decides what that is.
  fold() {
    if (!this.ids.get(this.selected)?.fold) return;
    this.kept = true;
    this.folding = this.selected;
    this.act.trigger("act", { fold: this.selected });
  }

  save(form) {
    this.act.trigger("act", { save: form });
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("button, input")) return;
    const way = WAYS[this.data.direction][event.key];
    const run = way ? () => this.step(way) : this.shortcut(event.key.toLowerCase());
    if (!run) return;
    event.preventDefault();
    event.stopPropagation();
    run();
  }

  shortcut(key) {
    const shortcuts = {
      f: () => this.fit(),
      "+": () => this.closer(),
      "=": () => this.closer(),
      "-": () => this.farther(),
      n: () => this.problem(),
      e: () => this.fold(),
      "/": () => this.tools.search(),
      escape: () => this.select(null, true),
      enter: () => this.enter(),
    };
    return shortcuts[key];
  }

  // To the flows of a box of the map; a message of a flow is opened in the inspector.
  enter() {
    const flows = this.ids.get(this.selected)?.flows;
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
    this.look(opened(size, this.data.bounds, this.ids.get(at)));
  }

  fit() {
    this.kept = true;
    this.look(fitted(this.size(), this.data.bounds));
  }

  closer() {
    this.zoom(CLOSER);
  }

  farther() {
    this.zoom(FARTHER);
  }

  zoom(by, at) {
    this.kept = true;
    const [w, h] = this.size();
    this.look(zoomed(this.view, by, at || [w / 2, h / 2]));
  }

  reveal(id) {
    const node = this.ids.get(id);
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

  tiny() {
    return this.view.k < FARTHEST;
  }

  apply() {
    if (!this.view) return;
    const { k, x, y } = this.view;
    const place = `translate(${x.toFixed(2)} ${y.toFixed(2)}) scale(${k.toFixed(4)})`;
    if (this.world.getAttribute("transform") !== place) this.world.setAttribute("transform", place);
    this.svg.classList.toggle("far", k < FAR);
    this.stage.classList.toggle("tiny", this.tiny());
    if (this.tiny()) this.paint();
    else this.cull();
    this.minimap.update(this.view, this.size(), this.data, this.root.dataset.theme);
  }

  // Makes the elements that come into view, and removes those that are far outside of it.
  cull() {
    const around = (margin) => visible(this.view, this.size(), this.data.nodes.length, margin);
    const [port, wide] = [around(NEAR), around(AWAY)];
    const focused = this.root.getRootNode().activeElement;
    for (const layer of [this.edges, this.nodes, this.labels]) layer.show(port, wide, this.selected);
    // Keys go on where the box with the focus was removed.
    if (focused && !focused.isConnected) this.stage.focus({ preventScroll: true });
  }

  paint() {
    const { far, view, lit } = this;
    far.clear(this.size());
    paintLines(far, this.lines, view, "--edge", lit ? this.faded : 1);
    if (lit)
      paintLines(far, linesOf(this.data.edges.filter((edge) => this.shines(edge))), view, "--accent", 1);
    paintNodes(far, this.data.nodes, view, lit, this.faded);
  }
}

function nodeItem(node) {
  const { x, y, label, ...look } = node;
  return { id: node.id, node, box: boxOfNode(node), text: JSON.stringify(look) };
}

function edgeItem(edge) {
  const id = `${edge.s}>${edge.t}>${edge.via || ""}`;
  return { id, edge, box: boxOfEdge(edge), text: JSON.stringify(edge) };
}
