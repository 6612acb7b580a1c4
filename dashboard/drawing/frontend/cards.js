// What is inside each kind of box. Python sends the size and the words.

import { cut, widthOf } from "./canvas_pen.js";
import { sv } from "./elements.js";
import { ICONS } from "./icons.js";

const TITLE = "600 12.3px Inter, sans-serif";
const SECOND = "400 10.6px Inter, sans-serif";
const SMALL = "500 11px Inter, sans-serif";
const SIGNS = { late: "clock", failed: "cross" };

const DRAW = {
  message: (n) => [
    outline(n, 8),
    side(n),
    words("title", n.title, 12, 15.5, n.w - (n.state || n.attempts > 1 ? 50 : 22), TITLE),
    second(n, n.at),
    n.hidden && words("count", `+${n.hidden}`, n.w - 8, 28),
    waitBar(n, 32.5, n.w - 24),
    signs(n, 15.5),
  ],
  reaction: (n) => [
    outline(n, n.h / 2),
    sv("circle", { cx: 12, cy: n.h / 2, r: 3.5, fill: n.colour }),
    words(
      "title small",
      n.title,
      21,
      n.h / 2 + 3.8,
      n.w - (SIGNS[n.state] ? 40 : 28) - (n.attempts > 1 ? 20 : 0),
      SMALL,
    ),
    signs(n, n.h / 2 + 3.8),
  ],
  ghost: (n) => [
    outline(n, 8),
    side(n),
    words("title", n.title, 12, 15.5, n.w - 38, TITLE),
    second(n, "overdue 9 h 59 m", overdue(n)),
    words("query", "?", n.w - 17, 17),
  ],
  blocked: (n) => [outline(n, 8), words("second", n.title, 12, n.h / 2 + 3.6, n.w - 22, SECOND)],
  unseen: (n) => [outline(n, 8), words("title", n.title, 12, 15.5, n.w - 22, TITLE), second(n, "")],
  event: (n) => [
    outline(n, 8),
    side(n),
    words("title", n.title, 12, 19, n.w - 66, TITLE),
    words("count", n.count, n.w - 10, 18.8),
    n.sub && words("second", n.sub, 12, 34, n.w - 22, SECOND),
    n.terminal && sv("circle", { class: "terminal", cx: n.w / 2, cy: n.h, r: 4 }),
  ],
};
DRAW.taker = DRAW.reaction;
DRAW.service = DRAW.event;

// Puts into the button `hit` what a box is called, and returns all else that is in the box. The button's name
// says that too, so it is hidden from those who hear it.
export function card(node, hit) {
  const parts = DRAW[node.kind](node).flat(3).filter(Boolean);
  const called = (part) => part.matches(".card, .title");
  hit.replaceChildren(sv("title", {}, node.tip || node.label), ...parts.filter(called));
  return sv(
    "g",
    { "aria-hidden": "true" },
    parts.filter((part) => !called(part)),
  );
}

function outline(n, round) {
  const inner = { class: "inner", x: 2.5, y: 2.5, width: n.w - 5, height: n.h - 5, rx: round - 2 };
  // A stack has the edges of two more cards behind it.
  const behind = (by) =>
    n.stack && sv("rect", { class: "card", x: by, y: by, width: n.w, height: n.h, rx: round });
  return [
    behind(6),
    behind(3),
    sv("rect", { class: "card", width: n.w, height: n.h, rx: round }),
    n.state === "failed" && n.kind !== "ghost" && sv("rect", inner),
  ];
}

function side(n) {
  return sv("rect", { y: 6, width: 4, height: n.h - 12, rx: 1.5, fill: n.colour });
}

function words(kind, text, x, y, width, font) {
  return sv("text", { class: kind, x, y }, width ? cut(text, width, font) : text);
}

// The service, as much of it as fits beside a time. Each has an element of its own: a name that is written
// from right to left would take the time along.
function second(n, time, shownTime = time) {
  const room = n.w - 22 - (time && widthOf(time, SECOND) + 10) - (n.hidden ? 40 : 0);
  const service = sv("tspan", {}, cut(n.service, room, SECOND));
  return sv("text", { class: "second", x: 12, y: 28 }, service, time && [" \u00b7 ", shownTime]);
}

function overdue(n) {
  return sv("tspan", { class: "age", data: { since: n.since, words: "overdue %" } });
}

function waitBar(n, y, width) {
  if (!n.bar) return null;
  const [wait, work] = n.bar.map((share) => share * width);
  const bar = (kind, x, length, fill) =>
    length > 0 && sv("rect", { class: kind, x, y, width: Math.max(length, 1.5), height: 3.5, rx: 1, fill });
  return [bar("hatch", 12, wait, "url(#hatch)"), bar("solid", 12 + wait, work)];
}

function signs(n, y) {
  const sign = SIGNS[n.state];
  const place = `translate(${n.w - 20} ${y - 10}) scale(.75)`;
  return [
    n.attempts > 1 && words("attempts", `\u00d7${n.attempts}`, n.w - (n.state ? 26 : 10), y),
    sign && sv("path", { d: ICONS[sign], class: `icon ${n.state}`, transform: place }),
  ];
}
