import assert from "node:assert/strict";
import { test } from "node:test";
import { apiParams, fromSearch, isFiltered, matches, noFilter, parseText, toSearch, type Filter } from "../src/filter.ts";
import type { Query } from "../src/types.ts";

function query(part: Partial<Query> = {}): Query {
  return {
    id: 1,
    time: 1000,
    type: "A",
    domain: "ads.example.com",
    cname: null,
    status: "GRAVITY",
    client: { ip: "192.0.2.7", name: "tv" },
    dnssec: null,
    reply: { type: "IP", time: 0 },
    list_id: 1,
    upstream: null,
    ede: { code: 15, text: null },
    ...part,
  };
}

const passes = (q: Query, f: Partial<Filter>): boolean => {
  const all = { ...noFilter, ...f };
  return matches(q, all, parseText(all.text));
};

test("words must be in the name, words with a minus must not", () => {
  const rows: [string, boolean][] = [
    ["", true],
    ["ads", true],
    ["ADS", true],
    ["ads com", true],
    ["ads org", false],
    ["-ads", false],
    ["-org", true],
    ["example -tracker", true],
    ["example -ads", false],
    ["  ads   ", true],
    ["-", true],
    ["--x", true],
  ];
  for (const [text, want] of rows) assert.equal(passes(query(), { text }), want, text);
});

test("client, type, outcome and time", () => {
  const rows: [Partial<Filter>, Partial<Query>, boolean][] = [
    [{ client: "192.0.2.7" }, {}, true],
    [{ client: "192.0.2.70" }, {}, false],
    [{ type: "A" }, {}, true],
    [{ type: "AAAA" }, {}, false],
    [{ show: "blocked" }, {}, true],
    [{ show: "allowed" }, {}, false],
    [{ show: "allowed" }, { status: "CACHE" }, true],
    [{ show: "cached" }, { status: "CACHE_STALE" }, true],
    [{ show: "forwarded" }, { status: "CACHE" }, false],
    [{ show: "allowed" }, { status: null }, true],
    [{ from: 1000, until: 1001 }, {}, true],
    [{ from: 999, until: 1000 }, {}, false],
    [{ from: 1001, until: 1002 }, {}, false],
  ];
  for (const [f, q, want] of rows) assert.equal(passes(query(q), f), want, JSON.stringify([f, q]));
});

test("the server gets what it can sort out", () => {
  assert.equal(
    apiParams({ ...noFilter, text: "ab tracker -x", show: "blocked", type: "A", client: "::1", from: 5, until: 9 }).toString(),
    "domain=*tracker*&client_ip=%3A%3A1&type=A&upstream=blocklist&from=5&until=9",
  );
  assert.equal(apiParams(noFilter).toString(), "");
  assert.equal(apiParams({ ...noFilter, text: "a*b" }).get("domain"), null);
  assert.equal(apiParams({ ...noFilter, show: "forwarded" }).get("upstream"), "permitted");
});

test("a filter survives the URL", () => {
  const rows: Partial<Filter>[] = [
    {},
    { text: "a&b=c -d" },
    { show: "cached", type: "HTTPS" },
    { client: "fd00::1", from: 100, until: 200 },
  ];
  for (const f of rows) assert.deepEqual(fromSearch(toSearch({ ...noFilter, ...f })), { ...noFilter, ...f });
});

test("a URL that anybody wrote gives a sane filter", () => {
  const rows: [string, Partial<Filter>][] = [
    ["?show=everything", {}],
    ["?from=200&until=100", {}],
    ["?from=x&until=9", {}],
    ["?from=-1&until=5", {}],
    ["?type=aaaa", { type: "AAAA" }],
    ["?q=" + "x".repeat(999), { text: "x".repeat(500) }],
    ["?%%%", {}],
  ];
  for (const [search, want] of rows) assert.deepEqual(fromSearch(search), { ...noFilter, ...want }, search);
});

test("what counts as filtered", () => {
  assert.equal(isFiltered(noFilter), false);
  assert.equal(isFiltered({ ...noFilter, text: "  " }), false);
  assert.equal(isFiltered({ ...noFilter, type: "A" }), true);
});
