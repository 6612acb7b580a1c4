// "/" leads to the search line; from any page but Flows, its text leads there.

import { go } from "./links.js";

// It comes before Streamlit, which would run the page that is left once more, and before any copy of itself.
export function searchKey(event) {
  const { key, target } = event;
  const field = document.querySelector("input[aria-label=Search]");
  const writing = event.composedPath()[0].matches?.("input,textarea,select,[contenteditable=true]");
  const drawing = event.composedPath().some((place) => place.matches?.(".stage")); // it has a search of its own
  if (key === "/" && field && !writing && !drawing && !event.ctrlKey && !event.metaKey) {
    event.preventDefault();
    field.select();
  }
  const q = field?.value.trim();
  if (key === "Enter" && target === field && q && field.closest(".st-key-search")) {
    event.stopImmediatePropagation();
    go({ page: "flows", q });
  }
}
