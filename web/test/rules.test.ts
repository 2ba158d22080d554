import assert from "node:assert/strict";
import { test } from "node:test";
import { nameBelow, parseAlias, parseHost, parseRecord, patternBelow, tidyName } from "../src/names.ts";

test("what people paste becomes a name", () => {
  const rows: [string, string][] = [
    ["ads.example", "ads.example"],
    [" Ads.Example. ", "ads.example"],
    ["https://ads.example/x?y#z", "ads.example"],
    ["http://ads.example:8080", "ads.example"],
    ["ads.example/path", "ads.example"],
    ["", ""],
    ["   ", ""],
  ];
  for (const [raw, want] of rows) assert.equal(tidyName(raw), want, raw);
});

test("the pattern for a name and all below matches those and no others", () => {
  const re = new RegExp(patternBelow("ads.example"));
  for (const yes of ["ads.example", "x.ads.example", "a.b.ads.example"]) assert.match(yes, re);
  for (const no of ["badads.example", "adsxexample", "ads.example.com", "example"]) assert.doesNotMatch(no, re);
});

test("a pattern for a name and all below is told from other patterns", () => {
  for (const name of ["ads.example", "a-b.c_d.example", "xn--bcher-kva.example"])
    assert.equal(nameBelow(patternBelow(name)), name);
  for (const other of ["ads", "(\\.|^)ads.example$", "(\\.|^)ads\\.example", "(\\.|^)(a|b)\\.example$", "^ads\\.example$"])
    assert.equal(nameBelow(other), null, other);
});

test("local records as the API writes them", () => {
  assert.deepEqual(parseHost("192.0.2.7  nas.example"), {
    kind: "host",
    name: "nas.example",
    target: "192.0.2.7",
    item: "192.0.2.7  nas.example",
  });
  assert.deepEqual(parseAlias("a.example,b.example,300"), {
    kind: "alias",
    name: "a.example",
    target: "b.example",
    item: "a.example,b.example,300",
  });
  assert.deepEqual(parseHost(""), { kind: "host", name: "", target: "", item: "" });
});

test("records of any type, with and without seconds", () => {
  for (const item of ["home.arpa MX 10 mail.home.arpa", "home.arpa 300 MX 10 mail.home.arpa"]) {
    const r = parseRecord(item);
    assert.deepEqual([r.name, r.type, r.target, r.item], ["home.arpa", "MX", "10 mail.home.arpa", item]);
  }
  assert.equal(parseRecord("nonsense").name, "nonsense");
});
