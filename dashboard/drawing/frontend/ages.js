// How long ago something was, in words that keep up while the page is open.

import { el } from "./elements.js";

// How far the collector's clock is ahead of this browser's, in ms. Ages are relative to the collector's. One
// view of a page is told, and the modules of all others have to know.
const CLOCK = "choreoscopeAhead";

export function setClock(now) {
  globalThis[CLOCK] = now - Date.now();
}

function present() {
  return Date.now() + (globalThis[CLOCK] || 0);
}

// The same wording as in `dashboard/words.py`.
export function age(ms) {
  const seconds = Math.max(0, ms / 1000);
  if (seconds < 60) return `${Math.floor(seconds)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} m`;
  const hours = Math.floor(seconds / 3600);
  if (hours < 10) return `${hours} h ${Math.floor((seconds % 3600) / 60)} m`;
  return hours < 48 ? `${hours} h` : `${Math.floor(hours / 24)} d`;
}

function since(ns) {
  return age(present() - ns / 1e6);
}

// The absolute time, for titles: UTC and local.
export function moment(ns) {
  const date = new Date(ns / 1e6);
  if (Number.isNaN(date.getTime())) return "";
  const utc = date.toISOString().replace("T", " ").replace("Z", " UTC");
  return `${utc}\n${date.toLocaleString()} here`;
}

// The time of day, with its date if that is not today.
export function hour(ns) {
  const [date, today] = [new Date(ns / 1e6), new Date(present())];
  const time = date.toLocaleTimeString([], { hour12: false });
  const same = date.toDateString() === today.toDateString();
  const day = same ? "" : `${date.toLocaleDateString([], { day: "numeric", month: "short" })}, `;
  return el("time", { title: moment(ns) }, day + time);
}

// An age in a sentence: "%" in `words` stands for it. `grow` keeps it up to date.
export function ageText(ns, words = "") {
  const text = words ? words.replace("%", since(ns)) : since(ns);
  return el("span.age", { data: { since: ns, words }, title: moment(ns) }, text);
}

// Updates all ages below `root`, and touches only those that changed.
export function grow(root) {
  for (const node of root.querySelectorAll(".age")) {
    const text = since(Number(node.dataset.since));
    const words = node.dataset.words ? node.dataset.words.replace("%", text) : text;
    if (node.textContent !== words) node.textContent = words;
  }
}
