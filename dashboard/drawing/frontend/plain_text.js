// Makes the names and values of spans safe to show as text. Nothing here touches the page.

// Control and direction characters, which act instead of being shown. Tabs and line breaks may stay.
const ACTING = /(?![\t\n])[\p{Cc}\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu;

// Escapes these characters, so that a name cannot hide or reorder the text around it.
export function shown(text) {
  return String(text).replace(ACTING, (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

// A name may be as long as a page. Its beginning and its end distinguish it from others.
export function brief(text, most = 44) {
  const signs = [...shown(text)];
  if (signs.length <= most) return text;
  return `${signs.slice(0, most / 2).join("")}\u2026${signs.slice(1 - most / 2).join("")}`;
}
