// The function that Streamlit calls: a view for each place in a page, created once and then updated.
// `component.py` joins it to a view: a class with `update(data)` and, if it has to clean up, `destroy()`.

import { grow, setClock } from "./ages.js";
import { rgb } from "./canvas_pen.js";
import { el } from "./elements.js";
import { keepingFocus } from "./focus.js";
import { searchKey } from "./search_key.js";

// The view of each place in a page, by its parent element.
const mounted = new WeakMap();

export function mountView(View, { parentElement, data, setTriggerValue }) {
  const start = performance.now();
  if (!data) return undefined;
  if (data.now) setClock(data.now);
  addEventListener("keydown", searchKey, true);
  let view = mounted.get(parentElement);
  if (!view) {
    view = create(View, parentElement, data.kind);
    mounted.set(parentElement, view);
  }
  view.act.trigger = (name, value) => setTriggerValue(name, value);
  view.root.dataset.theme = theme(parentElement.host || parentElement);
  const count = keepingFocus(view.root, () => view.painter.update(data));
  view.fitting();
  grow(view.root);
  view.root.dataset.count = count ?? "";
  view.root.dataset.renderMs = (performance.now() - start).toFixed(1);
  view.root.dataset.ready = "true";
  // Streamlit may clean up an older run after a newer one has begun: only the last may destroy the view.
  view.run = (view.run || 0) + 1;
  const { run } = view;
  return () => view.run === run && view.destroy();
}

function create(View, parent, kind) {
  const root = el("div", { class: `cs cs-${kind}` });
  parent.append(root);
  const act = {};
  const painter = new View(root, act);
  const room = (parent.host || parent).closest("[data-testid=stMainBlockContainer]") || document.body;
  const fitting = () => stretch(root, room);
  const timer = setInterval(() => {
    grow(root);
    fitting();
  }, 1000);
  // What is above may grow later. That it moves, nothing tells: the timer looks.
  const watch = new ResizeObserver(fitting);
  watch.observe(room);
  addEventListener("resize", fitting);
  const destroy = () => {
    clearInterval(timer);
    watch.disconnect();
    removeEventListener("resize", fitting);
    painter.destroy?.();
    root.remove();
    mounted.delete(parent);
  };
  return { root, act, painter, fitting, destroy };
}

// Streamlit chooses light or dark; its page colour tells which.
function theme(host) {
  const [r, g, b] = rgb(getComputedStyle(host).getPropertyValue("--st-background-color").trim());
  return 0.3 * r + 0.6 * g + 0.1 * b < 128 ? "dark" : "light";
}

// Drawings fill the window down to its bottom edge. A small window scrolls instead, and a narrow one has the
// panel below the drawing, where it is as tall as its text.
function stretch(root, room) {
  const narrow = matchMedia("(max-width: 900px)").matches;
  for (const node of root.querySelectorAll("[data-height=fill]")) {
    if (narrow && node.localName === "aside") {
      node.style.height = "";
      continue;
    }
    const top = node.getBoundingClientRect().top + (room.closest("section")?.scrollTop || 0);
    const height = `${Math.max(380, Math.floor(innerHeight - top - 24))}px`;
    if (node.style.height !== height) node.style.height = height;
  }
}
