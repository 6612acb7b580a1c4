// Links to other pages. A target is { page, ...query }, as Python sends it.

import { el } from "./elements.js";

function address({ page, ...query }) {
  const asked = new URLSearchParams(query).toString();
  return `./${page}${asked ? `?${asked}` : ""}`;
}

// Goes to another page the way the Back button does: it sets the address, and then Streamlit reads it.
// (Streamlit's own switch_page leaves an address in the history that belongs to neither page.)
export function go(target) {
  history.pushState({}, "", address(target));
  dispatchEvent(new PopStateEvent("popstate"));
}

// What makes an element of a drawing lead to another page.
export function leadsTo(target, label) {
  const open = (event) => {
    if (event.key && event.key !== "Enter") return;
    event.stopPropagation();
    go(target);
  };
  return { role: "link", tabindex: 0, "aria-label": label, on: { click: open, keydown: open } };
}

// A real link, so that the reader can open it in a new tab.
export function link(target, props, ...children) {
  const open = (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey || event.button > 0) return;
    event.preventDefault();
    go(target);
  };
  return el("a", { ...props, href: address(target), on: { ...props.on, click: open } }, ...children);
}
