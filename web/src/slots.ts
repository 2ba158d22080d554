// The timeline's numbers: slots of the history joined to bars, summed over spans, and stacked.
import type { Outcome } from "./outcome.ts";
import type { Slot } from "./types.ts";

export type Sum = Record<Outcome, number> & { total: number };

export const zero: Sum = { total: 0, blocked: 0, forwarded: 0, cached: 0, other: 0 };

export function sumOf(slots: Slot[]): Sum {
  const s = { ...zero };
  for (const x of slots) {
    s.total += x.total;
    s.blocked += x.blocked;
    s.forwarded += x.forwarded;
    s.cached += x.cached;
  }
  s.other = Math.max(0, s.total - s.blocked - s.forwarded - s.cached);
  return s;
}

/** Slot lengths that bars may have, in seconds: each a multiple of the one before or of a day's part. */
const lengths = [60, 300, 600, 1800, 3600, 7200, 14_400, 21_600, 43_200, 86_400];

/**
 * Joins slots so that a span has at most maxBars bars. Bars are aligned to their length; the sums stay the same.
 */
export function regroup(slots: Slot[], slotS: number, maxBars: number): { slots: Slot[]; slotS: number } {
  const first = slots[0];
  const last = slots[slots.length - 1];
  if (!first || !last) return { slots, slotS };
  const spanS = last.timestamp + slotS - first.timestamp;
  const fits = (len: number): boolean => len >= slotS && len % slotS === 0 && spanS / len <= maxBars;
  const len = spanS / slotS <= maxBars ? slotS : (lengths.find(fits) ?? 86_400);
  if (len === slotS) return { slots, slotS };
  const bars = new Map<number, Slot>();
  for (const s of slots) {
    const at = s.timestamp - (s.timestamp % len);
    const bar = bars.get(at) ?? { timestamp: at, total: 0, cached: 0, blocked: 0, forwarded: 0 };
    bar.total += s.total;
    bar.cached += s.cached;
    bar.blocked += s.blocked;
    bar.forwarded += s.forwarded;
    bars.set(at, bar);
  }
  return { slots: [...bars.values()], slotS: len };
}

export function within(slots: Slot[], from: number, until: number): Slot[] {
  return slots.filter((s) => s.timestamp >= from && s.timestamp < until);
}

/** Columns for the chart: times, then heights from the tallest (all) to the lowest (blocked), as they are painted. */
export function stacked(slots: Slot[]): number[][] {
  const x: number[] = [];
  const all: number[] = [];
  const three: number[] = [];
  const two: number[] = [];
  const one: number[] = [];
  for (const s of slots) {
    x.push(s.timestamp);
    all.push(Math.max(s.total, s.blocked + s.forwarded + s.cached));
    three.push(s.blocked + s.forwarded + s.cached);
    two.push(s.blocked + s.forwarded);
    one.push(s.blocked);
  }
  return [x, all, three, two, one];
}
