import assert from "node:assert/strict";
import { test } from "node:test";
import { hostileNames } from "../dev/hostile.mjs";
import { csvField, pieces, visible } from "../src/text.ts";

test("plain names stay as they are", () => {
  for (const s of [
    "",
    "ads.example",
    "<script>alert(1)</script>",
    "a\"b'c&d",
    "xn--bcher-kva.example",
    "bücher.example",
    "日本.example",
  ]) {
    assert.equal(visible(s), s);
    assert.ok(
      pieces(s).every((p) => !p.escaped),
      s,
    );
  }
});

test("control, bidi and invisible characters become escapes", () => {
  const rows: [string, string][] = [
    ["a\u0000b", "a\\x00b"],
    ["\r\n\t", "\\x0d\\x0a\\x09"],
    ["\u001b[31m", "\\x1b[31m"],
    ["\u007f\u0085", "\\x7f\\x85"],
    ["\u202egnp.exe", "\\u202egnp.exe"],
    ["a\u2066b\u2069", "a\\u2066b\\u2069"],
    ["zero\u200bwidth", "zero\\u200bwidth"],
    ["\ufeffx", "\\ufeffx"],
    ["\u2028", "\\u2028"],
    ["\u{e0041}", "\\u{e0041}"],
    ["\ud800x", "\\ud800x"],
    ["\u00ad", "\\xad"],
  ];
  for (const [raw, want] of rows) assert.equal(visible(raw), want);
});

test("escaped pieces are told from text that looks like them", () => {
  assert.deepEqual(pieces("\\x00\u0000"), [
    { text: "\\x00", escaped: false },
    { text: "\\x00", escaped: true },
  ]);
});

test("no hostile name keeps a character that cannot be seen", () => {
  for (const name of hostileNames)
    assert.doesNotMatch(visible(name), /[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]/);
});

test("CSV fields", () => {
  const rows: [string | number | null, string][] = [
    [null, ""],
    [12.5, "12.5"],
    [-3, "-3"],
    ["plain", "plain"],
    ["a,b", '"a,b"'],
    ['say "x"', '"say ""x"""'],
    ["two\nlines", '"two\nlines"'],
    ["=cmd|' /C calc'!A0", "'=cmd|' /C calc'!A0"],
    ["+1", "'+1"],
    ["-x", "'-x"],
    ["@sum", "'@sum"],
    ["=a,b", '"\'=a,b"'],
  ];
  for (const [v, want] of rows) assert.equal(csvField(v), want);
});
