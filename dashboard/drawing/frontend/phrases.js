// The small parts of sentences: names, states, services.

import { ageText } from "./ages.js";
import { el } from "./elements.js";
import { icon } from "./icons.js";
import { link } from "./links.js";
import { brief } from "./plain_text.js";

const BADGES = { late: "clock", stuck: "hourglass", failed: "cross" };

// A name, shortened if it is long; the full name appears on hover.
export function named(text, most) {
  return text && el("span", { title: text.length > (most || 44) && text }, brief(text, most));
}

// A sentence in Python's parts: plain text, highlighted names, ages that grow, links to other pages.
export function said(parts) {
  return (parts || []).map((part) => {
    if (part.since) return ageText(part.since);
    if (part.target) return link(part.target, {}, named(part.text, 60));
    if (part.mark) return el(part.mark, named(part.text, 60));
    const cut = part.text.replace(/\S{61,}/g, (word) => brief(word, 60));
    return cut === part.text ? cut : el("span", { title: part.text }, cut);
  });
}

export function badge(state, ...text) {
  return el("span", { class: `badge ${state}` }, BADGES[state] && icon(BADGES[state], 12), text);
}

// The colour of a service, beside its name.
export function stripe(colour) {
  return el("i.stripe", { css: { background: colour || "transparent" } });
}
