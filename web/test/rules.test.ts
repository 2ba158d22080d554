import assert from "node:assert/strict";
import { test } from "node:test";
import { patternBelow, tidyName } from "../src/names.ts";

test("what people paste becomes a name", () => {
  const rows: [string, string][] = [
    ["ads.example", "ads.example"], [" Ads.Example. ", "ads.example"], ["https://ads.example/x?y#z", "ads.example"], ["http://ads.example:8080", "ads.example"],
    ["ads.example/path", "ads.example"], ["", ""], ["   ", ""],
  ];
  for (const [raw, want] of rows) assert.equal(tidyName(raw), want, raw);
});

test("the pattern for a name and all below matches those and no others", () => {
  const re = new RegExp(patternBelow("ads.example"));
  for (const yes of ["ads.example", "x.ads.example", "a.b.ads.example"]) assert.match(yes, re);
  for (const no of ["badads.example", "adsxexample", "ads.example.com", "example"]) assert.doesNotMatch(no, re);
});
