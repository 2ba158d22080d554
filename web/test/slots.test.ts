import assert from "node:assert/strict";
import { test } from "node:test";
import { regroup, stacked, sumOf, within } from "../src/slots.ts";
import type { Slot } from "../src/types.ts";

const slot = (timestamp: number, total: number, blocked: number, cached: number, forwarded: number): Slot => ({
  timestamp,
  total,
  blocked,
  cached,
  forwarded,
});

test("other is what no group counts, and never negative", () => {
  assert.equal(sumOf([slot(0, 10, 2, 3, 4)]).other, 1);
  assert.equal(sumOf([slot(0, 5, 2, 3, 4)]).other, 0);
  assert.deepEqual(sumOf([]), { total: 0, blocked: 0, forwarded: 0, cached: 0, other: 0 });
});

test("joining slots keeps the sums and aligns the bars", () => {
  const week = Array.from({ length: 1008 }, (_, i) => slot(600 * (i + 5), i, i % 3, i % 5, i % 7));
  const bars = regroup(week, 600, 180);
  assert.ok(bars.slots.length <= 181);
  assert.equal(bars.slotS % 600, 0);
  assert.deepEqual(sumOf(bars.slots), sumOf(week));
  assert.ok(bars.slots.every((b) => b.timestamp % bars.slotS === 0));
});

test("a day of ten minutes is left alone, and so is nothing", () => {
  const day = Array.from({ length: 145 }, (_, i) => slot(600 * i, 1, 0, 0, 1));
  assert.equal(regroup(day, 600, 180).slots, day);
  assert.deepEqual(regroup([], 600, 180).slots, []);
});

test("heights never fall from all to blocked", () => {
  const [x, ...columns] = stacked([slot(0, 10, 2, 3, 4), slot(600, 1, 2, 3, 4)]);
  assert.deepEqual(x, [0, 600]);
  assert.deepEqual(columns, [
    [10, 9],
    [9, 9],
    [6, 6],
    [2, 2],
  ]);
});

test("within takes the start and leaves the end", () => {
  const s = [0, 600, 1200].map((t) => slot(t, 1, 0, 0, 1));
  assert.deepEqual(
    within(s, 600, 1200).map((x) => x.timestamp),
    [600],
  );
});
