import assert from "node:assert/strict";
import { test } from "node:test";
import { brief, shown } from "../../../dashboard/drawing/frontend/plain_text.js";

test("what acts on text is spelled out, in all of Unicode's first plane", () => {
  const acts = (code) =>
    (code < 0x20 && code !== 0x09 && code !== 0x0a) ||
    (code >= 0x7f && code <= 0x9f) ||
    code === 0x200e ||
    code === 0x200f ||
    (code >= 0x202a && code <= 0x202e) ||
    (code >= 0x2066 && code <= 0x2069);
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
