// Makes the names and values of spans safe to show as text. Nothing here touches the page.

// Control and direction characters, which act instead of being shown, and those that nobody can see: two names
// that look alike may differ by them. Tabs and line breaks may stay, and what joins letters and emoji.
const ACTING =
  /(?![\t\n])[\p{Cc}\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\u{e0000}-\u{e007f}]/gu;

// Escapes these characters, as JSON does, so that a name cannot hide or reorder the text around it.
export function shown(text) {
  return String(text).replace(ACTING, (sign) =>
    [...Array(sign.length).keys()]
      .map((at) => `\\u${sign.charCodeAt(at).toString(16).padStart(4, "0")}`)
      .join(""),
  );
}

// A name stands in one line: a break in it would push its end out of sight, and says nothing.
export function oneLine(text) {
  return shown(text).replaceAll("\t", "\\t").replaceAll("\n", "\\n");
}

// A name may be as long as a page. Its beginning and its end distinguish it from others.
export function brief(text, most = 44) {
  const signs = [...oneLine(text)];
  if (signs.length <= most) return signs.join("");
  return `${signs.slice(0, most / 2).join("")}\u2026${signs.slice(1 - most / 2).join("")}`;
}
