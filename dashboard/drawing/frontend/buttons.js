// What buttons do.

import { el } from "./elements.js";
import { icon } from "./icons.js";

export function press(run, props) {
  return { ...props, on: { click: run } };
}

export function copyButton(text, what) {
  const button = el("button.quiet.copy", { "aria-label": `Copy ${what}`, title: "Copy" }, icon("copy", 13));
  button.addEventListener("click", async (event) => {
    event.stopPropagation();
    await navigator.clipboard.writeText(text);
    button.replaceChildren(icon("check", 13));
    setTimeout(() => button.replaceChildren(icon("copy", 13)), 1200);
  });
  return button;
}
