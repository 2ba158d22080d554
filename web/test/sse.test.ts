import assert from "node:assert/strict";
import { test } from "node:test";
import { SseParser } from "../src/sse.ts";

const whole = 'event: totals\ndata: {"a":1}\n\n:\n\ndata: x\r\ndata:y\r\n\r\nid: 7\nretry: 5\nevent: change\ndata: z\n\n';
const want = [
  { event: "totals", data: '{"a":1}' },
  { event: "message", data: "x\ny" },
  { event: "change", data: "z" },
];

test("reads events, skips comments and other fields", () => {
  assert.deepEqual(new SseParser().push(whole), want);
});

test("gives the same wherever the chunks are cut", () => {
  for (let i = 0; i <= whole.length; i++) {
    const p = new SseParser();
    assert.deepEqual([...p.push(whole.slice(0, i)), ...p.push(whole.slice(i))], want, `cut at ${i}`);
  }
  const p = new SseParser();
  assert.deepEqual(
    [...whole].flatMap((c) => p.push(c)),
    want,
  );
});

test("an unfinished event is not given", () => {
  assert.deepEqual(new SseParser().push("event: totals\ndata: 1\n"), []);
});
