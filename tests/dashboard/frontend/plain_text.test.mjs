import assert from "node:assert/strict";
import { test } from "node:test";
import { brief, shown } from "../../../dashboard/drawing/frontend/plain_text.js";

test("what acts on text or is not seen is spelled out, in all of Unicode's first plane", () => {
  const acts = (code) =>
    (code < 0x20 && code !== 0x09 && code !== 0x0a) ||
    (code >= 0x7f && code <= 0x9f) ||
    [0xad, 0x61c, 0x180e, 0x200b, 0x200e, 0x200f, 0xfeff].includes(code) ||
    (code >= 0x2028 && code <= 0x202e) ||
    (code >= 0x2060 && code <= 0x206f);
  for (let code = 0; code <= 0xffff; code += 1) {
    const sign = String.fromCharCode(code);
    const spelled = `\\u${code.toString(16).padStart(4, "0")}`;
    assert.equal(shown(sign), acts(code) ? spelled : sign, spelled);
  }
});

test("what is no text is shown as text", () => {
  assert.equal(shown(12), "12");
  assert.equal(shown("<b>\u{1f680}</b>"), "<b>\u{1f680}</b>");
});

test("what joins letters and emoji stays, and hidden letters of other planes are spelled out", () => {
  const family = "\u{1f468}\u200d\u{1f469}";
  assert.equal(shown(`${family} \u0645\u06cc\u200c\u062e`), `${family} \u0645\u06cc\u200c\u062e`);
  assert.equal(shown("a\u{e0041}b"), "a\\udb40\\udc41b");
});

test("a name stands in one line", () => {
  assert.equal(brief("tab\tand\nbreak"), "tab\\tand\\nbreak");
  assert.equal(brief("a\n".repeat(100)).length, 44);
});

test("a long name keeps its beginning and its end, and is never longer than asked", () => {
  const name = `tenant-7.${"k".repeat(400)}.order-17`;
  const cut = brief(name, 60);
  assert.equal(cut.length, 60);
  assert.ok(cut.startsWith("tenant-7.") && cut.endsWith(".order-17"));
});

test("a name that fits stays whole", () => {
  assert.equal(brief("k".repeat(44)), "k".repeat(44));
  assert.equal(brief("k".repeat(45)).length, 44);
});
