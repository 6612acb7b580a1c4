// Saves a drawing as a file, SVG or PNG: all of it, not what is in view, and with all that it needs. It is sent
// to the browser only when its reader asks for a file.

import { grow } from "./ages.js";
import { arrow, arrowClass, pill } from "./arrows.js";
import { cut } from "./canvas_pen.js";
import { card } from "./cards.js";
import { el, fill, sv } from "./elements.js";
import { hatch } from "./hatch.js";
import { brief } from "./plain_text.js";

const MARGIN = 24;
const FOOT = 20;
const LEAST_WIDTH = 360;
const FOOT_FONT = "400 11px Inter, sans-serif";
const LONGEST_TIP = 500;
// A PNG has two pixels for each of the page, but no more than these along a side, and in all.
const SHARP = 2;
const MOST_ALONG = 16_384;
const MOST_PIXELS = 64_000_000;
const SHAPES = "rect, path, circle, text";
const STYLES = [
  "fill",
  "stroke",
  "stroke-width",
  "stroke-dasharray",
  "stroke-linecap",
  "stroke-linejoin",
  "font-family",
  "font-size",
  "font-weight",
  "text-anchor",
];
const FADED_COLOUR = /^color\(srgb ([\d.e-]+) ([\d.e-]+) ([\d.e-]+)(?: \/ ([\d.e-]+))?\)$/;
// What no XML file may hold, however it is escaped.
const NO_XML = /[\ufffe\uffff]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;

export class ExportView {
  constructor(root, act) {
    Object.assign(this, { root, act });
  }

  update(data) {
    if (data.number === this.number) return;
    this.number = data.number;
    const size = sizeOf(data.drawing.bounds);
    const text = this.picture(data, size);
    const svg = new Blob([text], { type: "image/svg+xml" });
    const name = `${data.name}.${data.form}`;
    if (data.form === "svg") download(svg, name);
    else raster(svg, size).then((png) => download(png, name));
    this.act.trigger("act", data.number);
  }

  // The text of the file. The styles are those that the page would have.
  picture({ drawing, font }, [w, h]) {
    const [x, y] = drawing.bounds.map((edge) => MARGIN - edge);
    const style = sv("style");
    const world = sv("g", { transform: `translate(${x} ${y})` }, partsOf(drawing));
    const ground = sv("rect", { class: "ground", width: w, height: h });
    // A picture is sent around: it says by itself what it shows, and how much of it.
    const says = cut([drawing.label, drawing.told].filter(Boolean).join(". "), w - 2 * MARGIN, FOOT_FONT);
    const foot = sv("text", { class: "foot", x: MARGIN, y: h - 12 }, says);
    const props = { width: w, height: h, viewBox: `0 0 ${w} ${h}`, role: "img" };
    const svg = sv(
      "svg",
      props,
      sv("title", {}, drawing.label),
      style,
      sv("defs", {}, hatch()),
      ground,
      world,
      foot,
    );
    const shadow = el("div.saving", svg);
    this.root.replaceChildren(shadow);
    grow(shadow);
    const face = `@font-face{font-family:Inter;font-weight:100 900;src:url(${font}) format("woff2")}`;
    style.append(face, ...styled(svg));
    shadow.remove();
    const text = new XMLSerializer().serializeToString(svg).replace(NO_XML, "\ufffd");
    return `<?xml version="1.0" encoding="UTF-8"?>\n${text}`;
  }
}

function sizeOf([x0, y0, x1, y1]) {
  return [Math.max(LEAST_WIDTH, Math.ceil(x1 - x0) + 2 * MARGIN), Math.ceil(y1 - y0) + 2 * MARGIN + FOOT];
}

function partsOf({ nodes, edges, direction }) {
  const lines = edges.map((edge) => sv("g", { class: arrowClass(edge) }, arrow(edge, direction)));
  const boxes = nodes.map((node) => {
    const props = {
      class: `node ${node.kind} ${node.state || ""}`,
      transform: `translate(${node.x} ${node.y})`,
    };
    const hit = sv("g");
    return sv("g", props, hit, card({ ...node, label: brief(node.label, LONGEST_TIP), tip: "" }, hit));
  });
  const pills = edges
    .filter((edge) => edge.label || edge.stuck)
    .map((edge) => pill({ ...edge, target: null }));
  return [...lines, ...boxes, ...pills];
}

// Gives each shape a class of its own style, and returns the rules: other programs know no nested rules and
// no custom properties.
function styled(svg) {
  const rules = new Map();
  for (const grip of svg.querySelectorAll(".grip")) grip.remove();
  for (const shape of svg.querySelectorAll(SHAPES)) {
    const seen = getComputedStyle(shape);
    const text = STYLES.map((name) => said(name, seen.getPropertyValue(name))).join(";");
    if (!rules.has(text)) rules.set(text, `s${rules.size}`);
    shape.removeAttribute("style");
    shape.setAttribute("class", rules.get(text));
  }
  for (const other of svg.querySelectorAll("g, tspan")) {
    for (const name of ["class", "aria-hidden", "data-since", "data-words"]) other.removeAttribute(name);
  }
  return [...rules].map(([text, name]) => `.${name}{${text}}`);
}

// A declaration that every program knows: a colour that lets something through has its opacity beside it.
function said(name, value) {
  const faded = FADED_COLOUR.exec(value);
  if (!faded) return `${name}:${value}`;
  const [red, green, blue] = faded.slice(1, 4).map((part) => Math.round(part * 255));
  return `${name}:rgb(${red},${green},${blue});${name}-opacity:${faded[4] ?? 1}`;
}

async function raster(svg, [w, h]) {
  const scale = Math.min(SHARP, MOST_ALONG / w, MOST_ALONG / h, Math.sqrt(MOST_PIXELS / w / h));
  const [width, height] = [Math.max(1, Math.round(w * scale)), Math.max(1, Math.round(h * scale))];
  const canvas = fill(document.createElement("canvas"), { width, height }, []);
  const image = new Image();
  const address = URL.createObjectURL(svg);
  image.src = address;
  await image.decode();
  canvas.getContext("2d").drawImage(image, 0, 0, width, height);
  URL.revokeObjectURL(address);
  return new Promise((done) => canvas.toBlob(done, "image/png"));
}

function download(blob, name) {
  const address = URL.createObjectURL(blob);
  el("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}
