import assert from "node:assert/strict";
import { test } from "node:test";
import {
  ago,
  between,
  clock,
  compact,
  count,
  duration,
  latency,
  meanWords,
  octets,
  percent,
  rate,
  windowWords,
} from "../src/format.ts";

function table<A extends unknown[]>(name: string, f: (...a: A) => string, rows: [...A, string][]): void {
  test(name, () => {
    for (const row of rows) {
      const args = row.slice(0, -1) as unknown as A;
      assert.equal(f(...args), row[row.length - 1], `${name}(${args.join(", ")})`);
    }
  });
}

table("count", count, [
  [0, "0"],
  [999, "999"],
  [1000, "1,000"],
  [831218, "831,218"],
  [1.6, "2"],
]);
table("compact", compact, [
  [99_999, "99,999"],
  [100_000, "100 k"],
  [123_456, "123 k"],
  [999_499, "999 k"],
  [1_240_000, "1.24 M"],
  [31_000_000_000, "31.0 G"],
]);
table("percent", percent, [
  [0, 0, "0 %"],
  [0, 10, "0 %"],
  [1, 10_000, "< 0.1 %"],
  [1, 3, "33.3 %"],
  [9_999, 10_000, "> 99.9 %"],
  [10, 10, "100 %"],
]);
table("rate", rate, [
  [0, "0"],
  [0.01, "< 0.1"],
  [0.05, "0.1"],
  [3.24, "3.2"],
  [99.94, "99.9"],
  [1234.4, "1,234"],
]);
table("octets", octets, [
  [0, "0 B"],
  [1023, "1023 B"],
  [1024, "1.0 KB"],
  [41943040, "40 MB"],
  [1023.6 * 1024, "1.0 MB"],
  [3 * 2 ** 40, "3.0 TB"],
]);
table("latency", latency, [
  [0.00005, "< 0.1 ms"],
  [0.0001, "0.1 ms"],
  [0.00999, "10.0 ms"],
  [0.0118, "12 ms"],
  [1.25, "1.3 s"],
  [12, "12 s"],
]);
table("duration", duration, [
  [0, "0 seconds"],
  [1, "1 second"],
  [59.9, "59 seconds"],
  [60, "1 minute"],
  [119, "1 minute"],
  [3600, "1 hour"],
  [3660, "1 hour 1 minute"],
  [93784, "1 day 2 hours"],
  [11 * 86400 + 7200, "11 days"],
  [-5, "0 seconds"],
]);
table("clock", clock, [
  [300, "5:00"],
  [299.2, "5:00"],
  [65, "1:05"],
  [3661, "1:01:01"],
  [0, "0:00"],
  [-1, "0:00"],
]);
table("ago", ago, [
  [0, 100, "never"],
  [90, 100, "just now"],
  [100, 160, "1 minute ago"],
  [0.5, 50.5, "1 minute ago"],
  [1, 12_001, "3 hours ago"],
  [1, 180_001, "2 days ago"],
  [1, 3601, "1 hour ago"],
]);
table("windowWords", windowWords, [
  [0, 86400, "in the last 24 hours"],
  [0, 86400 - 1200, "in the last 24 hours"],
  [0, 86400 - 1300, "in the last 23 hours"],
  [0, 3600, "in the last hour"],
  [0, 3600, -1e6, "in the last hour"],
  [10, 3595, 10, "in the last 59 minutes"],
  [600, 600 + 85_900, -1e6, "in the last 24 hours"],
  [600, 600 + 85_900, 500, "in the last 23 hours"],
  [0, 600, "in the last 10 minutes"],
  [100, 100 + 7 * 86400, "in the last 7 days"],
  [0, 45, "in the last 45 seconds"],
  [0, 60, "in the last minute"],
  [0, 3900, "in the last 1 hour 5 minutes"],
]);
table("meanWords", meanWords, [
  [60, "over the last minute"],
  [10, "over the last 10 seconds"],
  [3600, "over the last hour"],
]);

const noon = Date.UTC(2026, 10, 22, 12) / 1000;
table("between", between, [
  [noon, noon + 600, noon + 7200, "12:00 to 12:10"],
  [noon, noon + 600, noon + 86400, "Sun 22 Nov 12:00 to 12:10"],
  [noon, noon + 86400, noon + 86400, "Sun 22 Nov 12:00 to Mon 23 Nov 12:00"],
  [noon, noon + 43200, noon, "12:00 to 00:00"],
]);
