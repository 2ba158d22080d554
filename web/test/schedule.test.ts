import assert from "node:assert/strict";
import { test } from "node:test";
import { dayWords, formatSchedule, parseSchedule } from "../src/schedule.ts";

test("weekly times are read and written", () => {
  const rows: [string, string, string][] = [
    ["mon-fri 21:00-06:30 block", "mon,tue,wed,thu,fri 21:00-06:30 block", "Mon–Fri"],
    ["daily 9:00-10:00", "daily 09:00-10:00 block", "every day"],
    ["sat-mon 00:00-24:00 services tiktok, roblox", "mon,sat,sun 00:00-24:00 services tiktok roblox", "Mon, Sat, Sun"],
    ["mon,wed 12:00-13:00 pause", "mon,wed 12:00-13:00 pause", "Mon, Wed"],
  ];
  for (const [text, again, days] of rows) {
    const s = parseSchedule(text);
    assert.ok(s, text);
    assert.equal(formatSchedule(s), again);
    assert.equal(dayWords(s.days), days);
    assert.deepEqual(parseSchedule(again), s);
  }
  for (const bad of ["", "someday 21:00-22:00", "mon 21-22", "mon 21:00"]) assert.equal(parseSchedule(bad), null, bad);
});
