// Draws what Python worked out: places, lengths and words arrive as data, this
// module puts them on the screen and answers the hand at once.
//
// Text of spans enters through text nodes and attributes that are text, never
// as markup, style or an address. No dependencies, no requests.

const SVG = "http://www.w3.org/2000/svg";
const views = new WeakMap(); // one view per mounted root
const clock = { ahead: 0 }; // the collector's clock minus this browser's, in ms
const calm = matchMedia("(prefers-reduced-motion: reduce)");

// ---- elements

// Characters that would act instead of show (control, direction) are spelled out.
const ACTING = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;
const shown = (text) => String(text).replace(ACTING, (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, "0")}`);

function fill(node, props, children) {
  for (const [name, value] of Object.entries(props || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "on") for (const [event, run] of Object.entries(value)) node.addEventListener(event, run);
    else if (name === "data") Object.assign(node.dataset, value);
    else if (name === "css") for (const [key, item] of Object.entries(value)) node.style.setProperty(key, item);
    else node.setAttribute(name, value === true ? "" : shown(value));
  }
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    node.append(child instanceof Node ? child : document.createTextNode(shown(child)));
  }
  return node;
}

// "span.muted" is a span of the class "muted"; properties may be left out.
function el(name, ...rest) {
  const [tag, ...classes] = name.split(".");
  const node = document.createElement(tag);
  if (classes.length) node.className = classes.join(" ");
  const plain = rest[0]?.constructor === Object;
  return fill(node, plain ? rest[0] : {}, plain ? rest.slice(1) : rest);
}
const sv = (tag, props, ...children) => fill(document.createElementNS(SVG, tag), props, children);

const ICONS = {
  clock: "M8 1.5a6.5 6.5 0 1 1 0 13a6.5 6.5 0 0 1 0-13M8 4.5V8l2.4 1.6",
  cross: "M3.5 3.5l9 9M12.5 3.5l-9 9",
  arrow: "M3 8h10M9 4l4 4l-4 4",
  copy: "M5.5 5.5h7v8h-7zM3.5 10.5v-8h7",
  check: "M3 8.5l3.5 3.5L13 4.5",
  hourglass: "M4 2h8M4 14h8M5 2v2.5L8 8l3-3.5V2M5 14v-2.5L8 8l3 3.5V14",
};

function icon(name, size = 14) {
  const props = { viewBox: "0 0 16 16", width: size, height: size, class: "icon", "aria-hidden": "true" };
  return sv("svg", props, sv("path", { d: ICONS[name] }));
}

// Replaces the children of `host` by `items`, but keeps what has not changed:
// a row that is read or hovered is not torn down because another one moved.
function keyed(host, items, make) {
  const before = host.kept || new Map();
  const after = new Map();
  const nodes = items.map((item, place) => {
    const key = String(item.key ?? place);
    const text = JSON.stringify(item);
    const held = before.get(key);
    const kept = held && held.text === text ? held : { text, node: make(item) };
    after.set(key, kept);
    return kept.node;
  });
  nodes.forEach((node, place) => {
    if (host.children[place] !== node) host.insertBefore(node, host.children[place] || null);
  });
  while (host.children.length > nodes.length) host.lastElementChild.remove();
  host.kept = after;
}

// ---- words

function age(ms) {
  const seconds = Math.max(0, ms / 1000);
  if (seconds < 60) return `${Math.floor(seconds)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} m`;
  const hours = Math.floor(seconds / 3600);
  if (hours < 10) return `${hours} h ${Math.floor((seconds % 3600) / 60)} m`;
  return hours < 48 ? `${hours} h` : `${Math.floor(hours / 24)} d`;
}

const since = (ns) => age(Date.now() + clock.ahead - ns / 1e6);

function moment(ns) {
  const date = new Date(ns / 1e6);
  if (Number.isNaN(date.getTime())) return "";
  const utc = date.toISOString().replace("T", " ").replace("Z", " UTC");
  return `${utc}\n${date.toLocaleString()} here`;
}

// A piece of text that grows older by itself: see `grow`.
const ageText = (ns, words = "") =>
  el("span.age", { data: { since: ns, words }, title: moment(ns) }, words ? words.replace("%", since(ns)) : since(ns));

// A name may be as long as a page: its beginning and its end tell it from others, the whole is on hover.
const brief = (text, most = 44) => (text.length > most ? `${text.slice(0, most / 2)}\u2026${text.slice(1 - most / 2)}` : text);
const named = (text, most) => text && el("span", { title: text.length > (most || 44) && text }, brief(text, most));

function said(parts) {
  return (parts || []).map((part) => {
    if (part.since) return ageText(part.since);
    if (part.mark) return el(part.mark, named(part.text, 60));
    const cut = part.text.replace(/\S{61,}/g, (word) => brief(word, 60));
    return cut === part.text ? cut : el("span", { title: part.text }, cut);
  });
}

const badge = (state, ...text) =>
  el("span", { class: `badge ${state}` }, BADGES[state] && icon(BADGES[state], 12), text);
const BADGES = { late: "clock", stuck: "hourglass", failed: "cross" };

const press = (run, props) => ({ ...props, on: { click: run } });

const hour = (ns) => el("time", { title: moment(ns) }, new Date(ns / 1e6).toLocaleTimeString([], { hour12: false }));

// A table row that leads somewhere as a whole; its first link does for the keyboard.
const leading = (target, ...cells) =>
  el("tr", press((event) => event.target.closest("a,button") || go(target)), cells.map((cell) => (cell?.tagName === "TD" ? cell : el("td", cell))));

const stripe = (colour) => el("i.stripe", { css: { background: colour || "transparent" } });

function copyButton(text, what) {
  const button = el("button.quiet.copy", { "aria-label": `Copy ${what}`, title: "Copy" }, icon("copy", 13));
  button.addEventListener("click", async (event) => {
    event.stopPropagation();
    await navigator.clipboard.writeText(text);
    button.replaceChildren(icon("check", 13));
    setTimeout(() => button.replaceChildren(icon("copy", 13)), 1200);
  });
  return button;
}

const address = ({ page, ...query }) => {
  const asked = new URLSearchParams(query).toString();
  return `./${page}${asked ? `?${asked}` : ""}`;
};

// Goes to another page as Back would: the address first, then Streamlit reads it.
// (Its own switch_page leaves an address in the history that is of neither page.)
function go(target) {
  history.pushState({}, "", address(target));
  dispatchEvent(new PopStateEvent("popstate"));
}

function link(target, props, ...children) {
  const open = (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey || event.button > 0) return;
    event.preventDefault();
    go(target);
  };
  return el("a", { ...props, href: address(target), on: { click: open } }, ...children);
}

// ---- pages of words

// Draws itself again only when what it says has changed.
class Words {
  constructor(root, act) {
    Object.assign(this, { root, act });
  }

  update({ now, checked, ...data }) {
    if (this.checked && checked) this.checked.firstElementChild.dataset.since = checked;
    const text = JSON.stringify(data);
    if (text === this.text) return;
    this.text = text;
    this.root.replaceChildren(this.draw({ ...data, checked }));
  }
}

class Head extends Words {
  draw(data) {
    this.checked = data.checked ? el("span", { class: data.stale ? "checked stale" : "checked" }, ageText(data.checked, "checked % ago")) : null;
    const line = el("h1", said(data.title));
    if (data.key) line.append(" ", el("code.key", named(data.key, 60)), copyButton(data.key, "flow key"));
    for (const item of data.badges || []) {
      line.append(" ", badge(item.state, item.text, item.since && [" ", ageText(item.since)]));
    }
    const lines = (data.lines || []).map((parts) => el("p.lead", said(parts)));
    const notes = (data.notes || []).map((note) => el("span.chip", { title: note.title || "" }, note.text));
    return el("header.head", el("div.line", line, this.checked), lines, notes.length > 0 && el("p.notes", notes));
  }
}

class Notice extends Words {
  draw(data) {
    const codes = (data.commands || []).map((command) =>
      el("div.command", el("span.muted", command.label), el("code", command.text), copyButton(command.text, command.label)),
    );
    const actions = (data.actions || []).map((action) =>
      el("button.plain", press(() => this.act.trigger("act", action.id)), action.label),
    );
    const links = (data.links || []).map((item) => link(item.target, { class: "plain" }, item.label));
    const role = data.tone === "amber" && "status";
    return el(
        "section",
        { class: `notice ${data.tone || ""}`, role },
        data.waiting && el("span.waiting", { "aria-hidden": "true" }),
        el("div", data.title && el("h2", said(data.title)), (data.lines || []).map((parts) => el("p", said(parts))), codes,
          actions.length + links.length > 0 && el("p.actions", actions, links),
          data.detail && el("details", el("summary", "Detail"), el("pre", data.detail), copyButton(data.detail, "detail"))),
      );
  }
}

const headed = (names) =>
  el("thead", el("tr", names.map((name) => el("th", { scope: "col", class: name.startsWith("#") && "num" }, name.replace("#", "")))));

class Stuck {
  constructor(root, act) {
    this.act = act;
    const top = el("div");
    this.head = new Head(top, act);
    this.tiles = el("div.tiles");
    this.groups = el("div.groups");
    root.replaceChildren(top, this.tiles, this.groups);
  }

  update(data) {
    this.head.update(data.head);
    keyed(this.tiles, data.tiles, (tile) => this.tile(tile));
    keyed(this.groups, data.groups, (group) => (group.calm ? el("p.calm", group.calm) : this.group(group)));
  }

  tile(tile) {
    const inside = [el("span.label", tile.label), el("span.value", tile.value), el("span.hint", tile.hint || "")];
    const kind = `tile ${tile.state || ""}`;
    return tile.target ? link(tile.target, { class: kind }, inside) : el("div", { class: kind }, inside);
  }

  group(group) {
    const owed = el("h2", stripe(group.colour), el("span", named(group.service), " ", group.cause), el("span.cause", "missing:"), el("span.owed", named(group.event)));
    const facts = [
      ["flows", group.flows],
      ["oldest", ageText(group.oldest)],
      ["first seen", hour(group.first)],
    ];
    const rows = el("tbody", group.rows.map((row) => this.row(row)));
    return el(
      "section",
      { class: `group ${group.state}`, "aria-label": `${group.service} owes ${group.event}` },
      el("header", el("div", owed, el("p", said(group.why))), el("dl", facts.map(([name, value]) => el("div", el("dt", name), el("dd", value)))),
        link(group.target, { class: "plain open", "aria-label": `Open the oldest flow that waits for ${group.service}` }, "Open oldest", icon("arrow", 13))),
      group.rows.length > 0 && el("table", headed(["state", "flow", "stopped after", "#for", "#since"]), rows),
      group.more && el("p.more", link(group.more.target, {}, group.more.text)),
    );
  }

  row(row) {
    return leading(
      row.target,
      badge(row.state, row.state),
      link(row.target, { class: "mono" }, named(row.name)),
      [named(row.stopped), " ", el("span.muted", named(row.by))],
      el("td.num", ageText(row.since)),
      el("td.num.muted", hour(row.since)),
    );
  }
}

class Table {
  constructor(root, act) {
    this.act = act;
    this.body = el("tbody");
    const heads = ["state", "flow", "waiting for / outcome", "#started", "#took", "share of time waiting", "last message", "#messages", "#reactions"];
    const table = el("table.flows", headed(heads), this.body);
    this.foot = el("p.more");
    this.pills = el("div.pills", { role: "group", "aria-label": "State" });
    this.sheet = el("div.sheet", table);
    root.replaceChildren(this.pills, this.sheet, this.foot);
  }

  update(data) {
    keyed(this.pills, data.pills, (pill) => el("button.plain", press(() => this.act.trigger("act", pill.act), { "aria-pressed": String(pill.on) }), pill.label, " ", el("b", named(pill.count)), pill.on && icon("cross", 10)));
    this.sheet.hidden = !data.rows.length;
    keyed(this.body, data.rows, (row) => this.row(row));
    const more = data.more && el("button.plain", press(() => this.act.trigger("act", { more: true })), data.more);
    this.foot.replaceChildren(data.showing, " ", more || "");
  }

  row(row) {
    const part = (kind, share) => el(`i.${kind}`, { css: { width: `${share * 100}%` } });
    const bar = row.wait !== null && [el("span.split", { title: row.split }, part("hatch", row.wait), part("solid", 1 - row.wait)), el("span.muted", ` ${row.percent}`)];
    return leading(
      row.target,
      [badge(row.state, row.state), row.incomplete && el("span.chip", { title: "Spans of this flow are missing: what is drawn may not be all." }, "incomplete telemetry")],
      link(row.target, { class: "mono" }, named(row.name)),
      row.waiting ? [stripe(row.colour), named(row.waiting), row.overdue && el("span.muted", " \u00b7 ", ageText(row.overdue, "overdue %"))] : el("span.muted", named(row.outcome)),
      el("td.num", ageText(row.since, "% ago")),
      el("td.num", row.took || el("span.muted", { title: "It is not over." }, "\u2014")),
      bar,
      [named(row.last), " ", el("span.muted", named(row.by))],
      el("td.num", row.messages),
      el("td.num", row.reactions),
    );
  }
}

class Inspector extends Words {
  draw(data) {
    const select = (id) => () => this.act.trigger("select", id);
    const metric = (name, value, kind) => el("div", el("dt", el("i", { class: kind }), name), el("dd", value || "\u2014"));
    const list = (title, items, empty) => [
      el("h3", title),
      items.length ? el("ul", items.map((item) => el("li", el("button.linkish", press(select(item.id)), stripe(item.colour), el("code", item.title)), el("span.muted", ` ${item.at}`), item.because && el("span", { class: `because ${item.certainty}` }, item.because)))) : el("p.muted", empty),
    ];
    const proofs = (title, items) =>
      items && items.length > 0 && [el("h3", title), el("ul.evidence", items.map((item) => el("li", item.id ? el("button.linkish", press(select(item.id)), item.text) : item.text, item.ref && el("code.muted", { title: item.ref }, ` ${item.ref.split(":").pop()}`))))];
    const pairs = (title, items) =>
      items.length > 0 && [el("h3", title), el("dl.pairs", items.map(([name, value, whole]) => [el("dt", name), el("dd", value, whole && copyButton(whole, name))]))];
    return el("aside.inspector", { "aria-label": "Inspector", data: { height: "fill" } },
        el("h2", data.title, " ", data.badge && badge(data.badge.state, data.badge.text)),
        el("p.by", stripe(data.colour), data.service, data.at && el("span.muted", { title: moment(data.time) }, ` \u00b7 ${data.at}`)),
        data.sentence && el("p", said(data.sentence)),
        data.expected && el("p.muted", data.expected),
        data.timed && el("dl.metrics", metric("Waited", data.waited, "hatch"), metric("Worked", data.worked, "solid")),
        (data.remarks || []).map((remark) => el("p.remark", remark)),
        (data.facts || []).map((fact) => el("p.muted", fact)),
        proofs("Evidence", data.evidence), proofs("Notes", data.notes),
        list("Caused by", data.causes, data.rootless || "nothing seen: the flow starts here"),
        list("Led to", data.effects, "nothing further"),
        data.blocked && [el("h3", "Blocked"), el("ul", data.blocked.map((name) => el("li", el("code", name))))],
        pairs("Ids", data.ids), pairs("Attributes", data.attributes), pairs("Resource", data.resource),
        data.capped && el("p.muted", data.capped), proofs("Notes on other steps", data.elsewhere));
  }
}

class Faults {
  constructor(root, act) {
    this.act = act;
    this.list = el("ul.faults");
    root.replaceChildren(el("p.muted", "The demo shop runs beside this page. Break a service of it and see which orders stop."), this.list);
  }

  update(data) {
    keyed(this.list, data.services, (item) => {
      const choose = el("select", { "aria-label": `How to break ${item.service}` }, data.kinds.map((kind) => el("option", { value: kind.id }, kind.label)));
      const change = (what) => () => this.act.trigger("act", { what, service: item.service, how: choose.value });
      return el("li", stripe(item.colour), el("span.who", item.service, el("small", { class: item.fault ? "broken" : "muted" }, item.status)),
        item.fault ? el("button.plain", press(change("mend")), "Mend") : [choose, el("button.plain", press(change("break")), "Break")]);
    });
  }
}

// ---- timeline

class Timeline {
  constructor(root, act) {
    this.act = act;
    this.axis = el("div.axis");
    this.rows = el("div.rows");
    this.bands = el("div.bands");
    this.box = el("div.timeline", { tabindex: 0, role: "group", "aria-label": "Timeline", on: { keydown: (event) => this.key(event) } }, el("div.axisrow", el("span.muted", "event \u00b7 reacting service"), this.axis), el("div.body", this.bands, this.rows));
    root.replaceChildren(el("div.frame", { data: { height: "fill" } }, this.box, legend(LEGEND_FLOW)));
  }

  update(data) {
    this.data = data;
    keyed(this.axis, data.ticks, (tick) => el("span", { css: { left: `${tick.x * 100}%` }, class: tick.x > 0.97 ? "last" : "" }, tick.label));
    const lines = data.ticks.map((tick) => ({ key: `t${tick.x}`, x: tick.x }));
    const idle = data.idle.map((band) => ({ key: `b${band.x0}`, ...band }));
    keyed(this.bands, [...idle, ...lines], (item) => item.label ? el("i.idle", { css: { left: `${item.x0 * 100}%`, width: `${(item.x1 - item.x0) * 100}%` } }, el("b", item.label)) : el("i.tick", { css: { left: `${item.x * 100}%` } }));
    keyed(this.rows, data.rows, (row) => this.row(row));
    this.adopt(data.selected);
    if (!this.opened) {
      this.opened = true;
      const problem = data.rows.find((row) => row.kind === "ghost" || row.state === "failed");
      requestAnimationFrame(() => this.node(data.selected || (problem && problem.key))?.scrollIntoView({ block: "nearest" }));
    }
    return data.rows.length;
  }

  row(row) {
    const left = (x) => `${x * 100}%`;
    const wide = (from, to) => ({ left: left(from), width: `max(${(to - from) * 100}%, 2px)` });
    // Beside the bar where there is room: after it, before it, or on it.
    const room = row.end <= 0.82 ? "after" : row.wait > 0.12 ? "before" : "inside";
    const beside = { after: { left: `calc(${left(row.end)} + 8px)` }, before: { right: `calc(${left(1 - row.wait)} + 8px)` }, inside: { right: `calc(${left(1 - row.end)} + 8px)` } };
    const took = el("b", { class: `took ${room} ${row.state}`, css: beside[room] }, row.took);
    const track = row.kind === "ghost"
      ? el("i.bar.due", { css: wide(row.wait, row.end) }, el("b", ageText(row.since, "overdue %")))
      : [row.work > row.wait ? el("i.bar.hatch", { css: wide(row.wait, row.work) }) : null, el("i", { class: `bar solid ${row.state}`, css: wide(row.work, row.end) }), took];
    return el("div", { class: `row ${row.kind} ${row.state}`, role: "button", tabindex: -1, "aria-label": row.label, data: { ref: row.key }, on: { click: () => this.choose(row.key) } },
      el("span.name", { css: { "padding-left": `${Math.min(row.depth, 12) * 9}px` } }, stripe(row.colour), el("span.what", row.title), el("small.muted", row.service)),
      el("span.track", track));
  }

  node(id) {
    return id && [...this.rows.children].find((row) => row.dataset.ref === id);
  }

  adopt(id) {
    if (id !== this.given) this.selected = this.given = id;
    for (const row of this.rows.children) row.classList.toggle("selected", row.dataset.ref === this.selected);
  }

  choose(id) {
    this.selected = id;
    this.adopt(this.given);
    this.act.trigger("select", id || "");
  }

  key(event) {
    const order = this.data.rows.map((row) => row.key);
    const at = order.indexOf(this.selected);
    let next = null;
    if (event.key === "ArrowDown") next = order[Math.min(at + 1, order.length - 1)];
    else if (event.key === "ArrowUp") next = order[Math.max(at - 1, 0)];
    else if (event.key === "Escape") next = "";
    else if (event.key === "n" || event.key === "N") next = nextOf(this.data.rows.filter((row) => row.problem).sort((a, b) => a.problem - b.problem).map((row) => row.key), this.selected);
    if (next === null || next === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    this.choose(next);
    this.node(next)?.scrollIntoView({ block: "nearest" });
  }
}

const nextOf = (list, current) => (list.length ? list[(list.indexOf(current) + 1) % list.length] : null);

const LEGEND_FLOW = [["hatch", "waiting in queue"], ["solid", "work"], ["missing", "expected, not seen"], ["inferred", "concluded"], ["late", "slow"], ["failed", "failed"]];

function legend(items) {
  return el("div.legend", items.map(([kind, text]) => el("span", el("i", { class: `mark ${kind}` }), text)));
}

// ---- graph and map

const PEN = document.createElement("canvas").getContext("2d");
const cuts = new Map();

// Shortens `text` to `width` pixels, for SVG knows no ellipsis.
function cut(text, width, font) {
  const key = `${font}|${width}|${text}`;
  if (cuts.has(key)) return cuts.get(key);
  PEN.font = font;
  let shown = text;
  if (PEN.measureText(text).width > width) {
    let [low, high] = [0, text.length];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (PEN.measureText(`${text.slice(0, middle)}\u2026`).width <= width) low = middle;
      else high = middle - 1;
    }
    shown = `${text.slice(0, low)}\u2026`;
  }
  if (cuts.size > 5000) cuts.clear();
  cuts.set(key, shown);
  return shown;
}

const TITLE = "600 12.3px Inter, sans-serif";
const SECOND = "400 10.6px Inter, sans-serif";

function words(kind, text, x, y, width, font) {
  return sv("text", { class: kind, x, y }, width ? cut(text, width, font) : text);
}

function mark(name, x, y, kind) {
  return sv("path", { d: ICONS[name], class: `icon ${kind}`, transform: `translate(${x} ${y}) scale(.75)` });
}

function waitBar(node, y, width) {
  if (!node.bar) return null;
  const [wait, work] = node.bar.map((share) => share * width);
  return [
    wait > 0 ? sv("rect", { class: "hatch", x: 12, y, width: Math.max(wait, 1.5), height: 3.5, rx: 1, fill: "url(#hatch)" }) : null,
    work > 0 ? sv("rect", { class: "solid", x: 12 + wait, y, width: Math.max(work, 1.5), height: 3.5, rx: 1 }) : null,
  ];
}

const SMALL = "500 11px Inter, sans-serif";
const outline = (n, round) => [
  sv("rect", { class: "card", width: n.w, height: n.h, rx: round }),
  n.state === "failed" && n.kind !== "ghost" ? sv("rect", { class: "inner", x: 2.5, y: 2.5, width: n.w - 5, height: n.h - 5, rx: round - 2 }) : null,
];
const side = (n) => sv("rect", { y: 6, width: 4, height: n.h - 12, rx: 1.5, fill: n.colour });
const SIGNS = { late: "clock", failed: "cross" };
const signs = (n, y) => [
  n.attempts > 1 ? words("attempts", `\u00d7${n.attempts}`, n.w - (n.state ? 40 : 24), y) : null,
  SIGNS[n.state] ? mark(SIGNS[n.state], n.w - 20, y - 10, n.state) : null,
];

// What is inside each kind of box; `n` has its size and words.
const DRAW = {
  message: (n) => [
    outline(n, 8),
    side(n),
    words("title", n.title, 12, 15.5, n.w - (n.state || n.attempts > 1 ? 50 : 22), TITLE),
    words("second", n.sub, 12, 28, n.w - 22, SECOND),
    waitBar(n, 32.5, n.w - 24),
    signs(n, 15.5),
  ],
  reaction: (n) => [
    outline(n, n.h / 2),
    sv("circle", { cx: 12, cy: n.h / 2, r: 3.5, fill: n.colour }),
    words("title small", n.title, 21, n.h / 2 + 3.8, n.w - (n.state ? 40 : 28) - (n.attempts > 1 ? 20 : 0), SMALL),
    signs(n, n.h / 2 + 3.8),
  ],
  ghost: (n) => [
    outline(n, 8),
    side(n),
    words("title", n.title, 12, 15.5, n.w - 38, TITLE),
    sv("text", { class: "second", x: 12, y: 28 }, n.service, " \u00b7 ", sv("tspan", { class: "age", data: { since: n.since, words: "overdue %" } })),
    words("query", "?", n.w - 17, 17),
  ],
  blocked: (n) => [outline(n, 8), words("second", n.title, 12, n.h / 2 + 3.6, n.w - 22, SECOND)],
  unseen: (n) => [outline(n, 8), words("title", n.title, 12, 15.5, n.w - 22, TITLE), words("second", n.sub, 12, 28, n.w - 22, SECOND)],
  event: (n) => [
    outline(n, 8),
    side(n),
    words("title", n.title, 12, 19, n.w - 66, TITLE),
    words("count", n.count, n.w - 10, 18.8),
    n.sub && words("second", n.sub, 12, 34, n.w - 22, SECOND),
    n.terminal ? sv("circle", { class: "terminal", cx: n.w / 2, cy: n.h, r: 4 }) : null,
  ],
};
DRAW.taker = DRAW.reaction;
DRAW.service = DRAW.event;

// Curves between layers, straight lines through them (see layout.py).
function route(points, direction, shift = 0) {
  const [first, ...rest] = points;
  let d = `M${first[0] + shift} ${first[1]}`;
  for (let at = 0; at < rest.length; at += 2) {
    const [x0, y0] = at ? rest[at - 1] : first;
    const [x1, y1] = rest[at];
    if (direction === "down") d += `C${x0 + shift} ${(y0 + y1) / 2} ${x1 + shift} ${(y0 + y1) / 2} ${x1 + shift} ${y1}`;
    else d += `C${(x0 + x1) / 2} ${y0} ${(x0 + x1) / 2} ${y1} ${x1} ${y1}`;
    if (rest[at + 1]) d += `L${rest[at + 1][0] + shift} ${rest[at + 1][1]}`;
  }
  return d;
}

function arrowhead([x, y], direction, back) {
  const size = 3.5;
  const long = back ? -size * 1.7 : size * 1.7;
  return direction === "down" ? `M${x - size} ${y - long}L${x} ${y}L${x + size} ${y - long}Z` : `M${x - long} ${y - size}L${x} ${y}L${x - long} ${y + size}Z`;
}

class Graph {
  constructor(root, act) {
    this.act = act;
    this.nodes = new Map();
    this.edges = new Map();
    this.view = null;
    this.edgeLayer = sv("g", { class: "edges" });
    this.nodeLayer = sv("g", { class: "nodes" });
    this.labelLayer = sv("g", { class: "labels" });
    this.world = sv("g", { class: "world" }, this.edgeLayer, this.nodeLayer, this.labelLayer);
    const hatch = sv("pattern", { id: "hatch", width: 5, height: 5, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" }, sv("rect", { class: "hatchline", width: 2.6, height: 5 }));
    this.svg = sv("svg", { class: "canvas" }, sv("defs", {}, hatch), this.world);
    this.mini = sv("svg", { class: "mini", "aria-hidden": "true", width: 168, height: 108 });
    const button = (label, run, title, key) => el("button", { title: `${title} (${key})`, "aria-label": title, "aria-keyshortcuts": key, on: { click: run } }, label);
    this.tools = el("div.tools", { role: "toolbar", "aria-label": "View" }, button("+", () => this.zoom(1.25), "Zoom in", "+"), button("\u2212", () => this.zoom(0.8), "Zoom out", "-"), button("Fit", () => this.fit(), "Fit", "F"), (this.problemButton = button("Problem", () => this.problem(), "Next problem", "N")));
    this.stage = el("div.stage", { tabindex: 0, role: "group", on: { keydown: (event) => this.key(event) } }, this.svg, this.tools, this.mini);
    this.legend = el("div");
    this.side = el("div.side");
    this.frame = el("div.frame", { data: { height: "fill" } }, this.stage, this.legend);
    root.replaceChildren(el("div.withside", this.frame, this.side));
    this.hand();
    this.sized = new ResizeObserver(() => this.resize());
    this.sized.observe(this.stage);
  }

  destroy() {
    this.sized.disconnect();
  }

  update(data) {
    this.data = data;
    this.direction = data.direction;
    this.stage.setAttribute("aria-label", data.label);
    const items = data.legend || LEGEND_FLOW;
    keyed(this.legend, [{ key: "legend", items }], () => legend(items));
    this.problems = data.nodes.filter((node) => node.problem).sort((a, b) => a.problem - b.problem).map((node) => node.id);
    this.problemButton.disabled = !this.problems.length;
    this.follow(data.nodes);
    this.drawNodes(data.nodes);
    this.drawEdges(data.edges);
    if (data.variants) this.drawSide(data);
    if (data.selected !== this.given) {
      this.given = data.selected;
      this.select(data.selected, false);
    } else this.light();
    if (!this.view && this.stage.clientWidth) this.open();
    else this.apply();
    return data.nodes.length;
  }

  // A drawing that grew may have moved as a whole: move the window with it.
  follow(nodes) {
    const moves = new Map();
    for (const { id, x, y } of nodes) {
      const before = this.nodes.get(id)?.node;
      const move = before && `${x - before.x},${y - before.y}`;
      if (move) moves.set(move, (moves.get(move) || 0) + 1);
    }
    const [most] = [...moves].sort((a, b) => b[1] - a[1])[0] || ["0,0"];
    const [dx, dy] = most.split(",").map(Number);
    if (this.view) Object.assign(this.view, { x: this.view.x - dx * this.view.k, y: this.view.y - dy * this.view.k });
  }

  drawNodes(nodes) {
    const left = new Set(this.nodes.keys());
    for (const node of nodes) {
      left.delete(node.id);
      const { x, y, ...look } = node;
      const text = JSON.stringify(look);
      let held = this.nodes.get(node.id);
      if (!held) {
        held = { g: sv("g", { role: "button", tabindex: -1, data: { ref: node.id } }) };
        held.g.classList.add("new");
        held.g.addEventListener("click", (event) => { event.stopPropagation(); if (!this.dragged) this.pick(node.id); });
        this.nodes.set(node.id, held);
        this.nodeLayer.append(held.g);
      }
      if (held.text !== text) {
        held.text = text;
        held.g.setAttribute("class", `node ${node.kind} ${node.state || ""} ${held.g.classList.contains("new") ? "new" : ""}`);
        held.g.setAttribute("aria-label", node.label);
        held.g.replaceChildren(sv("title", {}, node.tip || node.label), ...DRAW[node.kind](node).flat(3).filter(Boolean));
      }
      held.g.style.transform = `translate(${x}px, ${y}px)`;
      held.node = node;
    }
    for (const id of left) {
      this.nodes.get(id).g.remove();
      this.nodes.delete(id);
    }
  }

  drawEdges(edges) {
    const left = new Set(this.edges.keys());
    this.labelLayer.replaceChildren();
    for (const edge of edges) {
      const id = `${edge.s}>${edge.t}>${edge.via || ""}`;
      left.delete(id);
      const text = JSON.stringify(edge);
      let held = this.edges.get(id);
      if (!held) {
        held = { g: sv("g", {}) };
        this.edges.set(id, held);
        this.edgeLayer.append(held.g);
      }
      held.edge = edge;
      if (edge.label || edge.stuck) this.drawLabel(edge);
      if (held.text === text) continue;
      held.text = text;
      const kind = ["edge", edge.step === undefined && "flow", edge.missing && `missing ${edge.state}`, edge.inferred && "inferred", edge.step !== undefined && !edge.missing && `latency${edge.step}`].filter(Boolean).join(" ");
      held.g.setAttribute("class", kind);
      const line = sv("path", { class: "line", d: route(edge.points, this.direction, edge.back ? 30 : 0) });
      if (edge.width) line.style.strokeWidth = `${edge.width}px`;
      const head = !edge.width || edge.back ? sv("path", { class: "head", d: arrowhead(edge.points.at(-1), this.direction, edge.back), transform: edge.back && "translate(30 0)" }) : null;
      held.g.replaceChildren(...[edge.tip ? sv("title", {}, edge.tip) : null, edge.tip ? sv("path", { class: "grip", d: route(edge.points, this.direction) }) : null, line, head].filter(Boolean));
    }
    for (const id of left) {
      this.edges.get(id).g.remove();
      this.edges.delete(id);
    }
  }

  drawLabel(edge) {
    const points = edge.points;
    const middle = points.length === 2 ? 0 : Math.max(0, points.length - 2);
    const [a, b] = [points[middle], points[middle + 1]];
    const [x, y] = [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2];
    const text = edge.stuck || edge.label;
    PEN.font = "600 10px Inter, sans-serif";
    const width = PEN.measureText(text).width + 12;
    const group = sv("g", { class: edge.stuck ? "pill stuck" : "pill", transform: `translate(${x} ${y})` }, sv("rect", { x: -width / 2, y: -8, width, height: 16, rx: 8 }), sv("text", { y: 3.6, "text-anchor": "middle" }, text));
    if (edge.target) {
      fill(group, { role: "link", tabindex: 0, "aria-label": edge.stuckLabel, on: { click: () => go(edge.target), keydown: (event) => event.key === "Enter" && go(edge.target) } }, []);
    }
    this.labelLayer.append(group);
  }

  drawSide(data) {
    const cards = data.variants.map((variant) => ({ key: variant.id, ...variant }));
    if (!this.list) {
      this.list = el("ol.variants");
      this.side.replaceChildren(el("aside.inspector", { "aria-label": "Variants", data: { height: "fill" } }, el("h2", "Variants"), el("p.muted", "The ways flows took, most frequent first."), this.list));
      }
    keyed(this.list, cards, (variant) => {
      const light = (on) => () => this.trace(on ? variant.events : null);
      const button = el("button.variant", { on: { mouseenter: light(true), focus: light(true), mouseleave: light(false), blur: light(false) } },
        el("span.row1", el("strong", variant.share), el("span.muted", variant.count), badge(variant.outcome, variant.outcome), el("span.took", variant.took)),
        el("span.share", el("i", { css: { width: `${variant.part * 100}%` } })),
        el("span.path", variant.events.map((event, at) => [at ? icon("arrow", 10) : null, el("span", event)])));
      return el("li", button);
    });
  }

  trace(events) {
    const on = new Set(events || []);
    this.svg.classList.toggle("chosen", Boolean(events));
    this.svg.classList.remove("soft");
    for (const [id, held] of this.nodes) held.g.classList.toggle("lit", on.has(id));
    for (const held of this.edges.values()) held.g.classList.toggle("lit", on.has(held.edge.s) && on.has(held.edge.t));
  }

  // ---- selection

  pick(id) {
    this.select(id, true);
    this.nodes.get(id)?.g.focus({ preventScroll: true });
  }

  select(id, tell, soft = false) {
    this.selected = id && this.nodes.has(id) ? id : null;
    this.soft = soft;
    this.light();
    if (tell) this.act.trigger("select", this.selected || "");
  }

  light() {
    const start = performance.now();
    const lit = new Set();
    const walk = (from, next) => {
      const queue = [from];
      const seen = new Set(queue);
      while (queue.length) {
        const id = queue.pop();
        lit.add(id);
        for (const other of next.get(id) || []) if (!seen.has(other)) { seen.add(other); queue.push(other); }
      }
    };
    if (this.selected) {
      const [up, down] = [new Map(), new Map()];
      const put = (map, key, value) => (map.get(key) || map.set(key, []).get(key)).push(value);
      for (const { edge } of this.edges.values()) { put(down, edge.s, edge.t); put(up, edge.t, edge.s); }
      walk(this.selected, up);
      walk(this.selected, down);
    }
    this.svg.classList.toggle("chosen", Boolean(this.selected) && !this.soft);
    this.svg.classList.toggle("soft", Boolean(this.selected) && Boolean(this.soft));
    for (const [id, held] of this.nodes) {
      held.g.classList.toggle("lit", lit.has(id));
      held.g.classList.toggle("selected", id === this.selected && !this.soft);
      held.g.setAttribute("aria-pressed", id === this.selected ? "true" : "false");
    }
    for (const held of this.edges.values()) held.g.classList.toggle("lit", lit.has(held.edge.s) && lit.has(held.edge.t));
    this.stage.dataset.highlightMs = (performance.now() - start).toFixed(2);
  }

  problem() {
    const next = nextOf(this.problems, this.selected);
    if (!next) return;
    this.pick(next);
    this.reveal(next);
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const turn = this.direction === "down" ? { ArrowUp: "cause", ArrowDown: "effect", ArrowLeft: -1, ArrowRight: 1 } : { ArrowLeft: "cause", ArrowRight: "effect", ArrowUp: -1, ArrowDown: 1 };
    const keys = { f: () => this.fit(), "+": () => this.zoom(1.25), "=": () => this.zoom(1.25), "-": () => this.zoom(0.8), n: () => this.problem(), escape: () => this.select(null, true), enter: () => this.selected && this.act.trigger("select", this.selected) };
    const run = turn[event.key] ? () => this.step(turn[event.key]) : keys[event.key.toLowerCase()];
    if (!run || event.target.closest("button")) return;
    event.preventDefault();
    event.stopPropagation();
    run();
  }

  step(way) {
    const edges = [...this.edges.values()].map((held) => held.edge);
    const first = this.data.nodes[0]?.id;
    const at = this.selected;
    let next = first;
    if (at && way === "cause") next = edges.find((edge) => edge.t === at)?.s;
    else if (at && way === "effect") next = edges.find((edge) => edge.s === at)?.t;
    else if (at) {
      const across = this.direction === "down" ? ["y", "x"] : ["x", "y"];
      const here = this.nodes.get(at).node;
      const row = this.data.nodes.filter((node) => Math.abs(node[across[0]] - here[across[0]]) < 20).sort((a, b) => a[across[1]] - b[across[1]]);
      next = row[row.findIndex((node) => node.id === at) + way]?.id;
    }
    if (!next) return;
    this.pick(next);
    this.reveal(next);
  }

  // ---- viewport

  size() {
    return [this.stage.clientWidth, this.stage.clientHeight];
  }

  open() {
    const [w, h] = this.size();
    if (!w || !h) return;
    const scale = this.fitScale();
    const problem = this.data.soft ? this.problems[0] : null;
    if (problem && !this.selected) this.select(problem, false, true);
    this.fit();
    if (scale < 0.66) {
      this.view.k = 0.8;
      this.reveal(this.selected || problem || this.data.nodes[0]?.id, true);
    } else if (this.selected) this.reveal(this.selected);
  }

  fitScale() {
    const [w, h] = this.size();
    const [x0, y0, x1, y1] = this.data.bounds;
    return Math.min((w - 48) / Math.max(x1 - x0, 1), (h - 64) / Math.max(y1 - y0, 1), 1.1);
  }

  fit() {
    const [w, h] = this.size();
    const [x0, y0, x1, y1] = this.data.bounds;
    const k = Math.max(this.fitScale(), 0.1);
    this.view = { k, x: w / 2 - (k * (x0 + x1)) / 2, y: Math.max(28, (h - k * (y1 - y0)) * 0.3) - k * y0 };
    this.apply();
  }

  zoom(by, at) {
    const [w, h] = this.size();
    const [x, y] = at || [w / 2, h / 2];
    const k = Math.min(3, Math.max(0.08, this.view.k * by));
    const ratio = k / this.view.k;
    this.view = { k, x: x - (x - this.view.x) * ratio, y: y - (y - this.view.y) * ratio };
    this.apply();
  }

  // Brings a box into sight with as little movement as will do.
  reveal(id, centre = false) {
    const node = this.nodes.get(id)?.node;
    if (!node) return;
    const [w, h] = this.size();
    const { k } = this.view;
    const x = node.x * k + this.view.x;
    const y = node.y * k + this.view.y;
    const pad = 40;
    if (centre) Object.assign(this.view, { x: w / 2 - (node.x + node.w / 2) * k, y: h * 0.6 - node.y * k });
    else {
      this.view.x += Math.max(0, pad - x) - Math.max(0, x + node.w * k + pad - w);
      this.view.y += Math.max(0, pad - y) - Math.max(0, y + node.h * k + pad - h);
    }
    this.apply();
  }

  resize() {
    if (!this.data) return;
    if (!this.view) this.open();
    else if (!this.moved) this.fit(), this.selected && this.reveal(this.selected);
    else this.apply();
  }

  apply() {
    if (!this.view) return;
    const { k, x, y } = this.view;
    this.world.setAttribute("transform", `translate(${x.toFixed(2)} ${y.toFixed(2)}) scale(${k.toFixed(4)})`);
    this.svg.classList.toggle("far", k < 0.5);
    this.drawMini();
  }

  drawMini() {
    const [w, h] = this.size();
    const [x0, y0, x1, y1] = this.data.bounds;
    const { k, x, y } = this.view;
    const whole = x0 * k + x >= -1 && y0 * k + y >= -1 && x1 * k + x <= w + 1 && y1 * k + y <= h + 1;
    this.mini.classList.toggle("shown", !whole);
    if (whole) return;
    const scale = Math.min(156 / (x1 - x0), 96 / (y1 - y0));
    const boxes = this.data.nodes.map((node) => sv("rect", { class: node.problem ? "problem" : "", x: 6 + (node.x - x0) * scale, y: 6 + (node.y - y0) * scale, width: Math.max(node.w * scale, node.problem ? 6 : 1), height: Math.max(node.h * scale, node.problem ? 6 : 1) }));
    const port = sv("rect", { class: "port", x: 6 + (-x / k - x0) * scale, y: 6 + (-y / k - y0) * scale, width: (w / k) * scale, height: (h / k) * scale });
    this.mini.replaceChildren(...boxes, port);
  }

  hand() {
    let from = null;
    this.svg.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      from = { x: event.clientX, y: event.clientY, view: { ...this.view } };
      this.dragged = false;
    });
    this.svg.addEventListener("pointermove", (event) => {
      if (!from || !event.buttons) return;
      const [dx, dy] = [event.clientX - from.x, event.clientY - from.y];
      if (!this.dragged && Math.hypot(dx, dy) < 4) return;
      if (!this.dragged) this.svg.setPointerCapture(event.pointerId);
      this.dragged = this.moved = true;
      this.view = { ...this.view, x: from.view.x + dx, y: from.view.y + dy };
      this.apply();
    });
    this.svg.addEventListener("pointerup", () => { from = null; });
    this.svg.addEventListener("click", () => { if (!this.dragged && this.selected) this.select(null, true); });
    this.svg.addEventListener("wheel", (event) => {
      event.preventDefault();
      const box = this.svg.getBoundingClientRect();
      this.moved = true;
      this.zoom(Math.exp(-event.deltaY * (event.ctrlKey ? 0.01 : 0.0016)), [event.clientX - box.left, event.clientY - box.top]);
    }, { passive: false });
  }
}

// ---- mounting

const KINDS = { head: Head, notice: Notice, stuck: Stuck, flows: Table, inspector: Inspector, faults: Faults, timeline: Timeline, graph: Graph };

// Light or dark is Streamlit's choice; its page colour tells which.
function theme(host) {
  const colour = getComputedStyle(host).getPropertyValue("--st-background-color").trim();
  PEN.fillStyle = "#ffffff";
  PEN.fillStyle = colour;
  const [r, g, b] = [1, 3, 5].map((at) => parseInt(PEN.fillStyle.slice(at, at + 2), 16));
  return 0.3 * r + 0.6 * g + 0.1 * b < 128 ? "dark" : "light";
}

// Drawings fill the window down to its foot; a small window scrolls instead.
function stretch(root, room) {
  for (const node of root.querySelectorAll("[data-height=fill]")) {
    const top = node.getBoundingClientRect().top + (room.closest("section")?.scrollTop || 0);
    const height = `${Math.max(380, Math.floor(innerHeight - top - 24))}px`;
    if (node.style.height !== height) node.style.height = height;
  }
}

function grow(root) {
  for (const node of root.querySelectorAll(".age")) {
    const text = since(Number(node.dataset.since));
    const words = node.dataset.words ? node.dataset.words.replace("%", text) : text;
    if (node.textContent !== words) node.textContent = words;
  }
}

export default function mount({ parentElement, data, setTriggerValue }) {
  const start = performance.now();
  if (!data || !KINDS[data.kind]) return undefined;
  if (data.now) clock.ahead = data.now - Date.now(); // ages count by the collector's clock
  let view = views.get(parentElement);
  if (!view || view.kind !== data.kind) {
    view?.destroy();
    const root = el("div", { class: `cs cs-${data.kind}` });
    parentElement.append(root);
    const act = {};
    const painter = new KINDS[data.kind](root, act);
    const room = (parentElement.host || parentElement).closest("[data-testid=stMainBlockContainer]") || document.body;
    const fitting = () => stretch(root, room);
    const timer = setInterval(() => grow(root), 1000);
    const watch = new ResizeObserver(fitting); // what stands above may grow later
    watch.observe(room);
    addEventListener("resize", fitting);
    const destroy = () => {
      clearInterval(timer);
      watch.disconnect();
      removeEventListener("resize", fitting);
      painter.destroy?.();
      root.remove();
      views.delete(parentElement);
    };
    view = { kind: data.kind, root, act, painter, fitting, destroy };
    views.set(parentElement, view);
  }
  view.act.trigger = (name, value) => setTriggerValue(name, value);
  view.root.dataset.theme = theme(parentElement.host || parentElement);
  const count = view.painter.update(data);
  view.fitting();
  grow(view.root);
  view.root.dataset.count = count ?? "";
  view.root.dataset.renderMs = (performance.now() - start).toFixed(1);
  view.root.dataset.ready = "true";
  // Streamlit may end an older run after a newer one has begun: only the last may clear.
  const run = (view.run = (view.run || 0) + 1);
  return () => view.run === run && view.destroy();
}
