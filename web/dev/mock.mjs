// A stand-in for sinkhole's API with made-up traffic, to work on the page without a resolver. Development only: never shipped.
//
// usage: node dev/mock.mjs [--port N] [--password WORD] [--no-password] [--rate QUERIES_A_SECOND] [--hostile] [--empty]
//                          [--without events,status,check,lists,domains] [--web DIR]
//
// It implements the routes that ../API-NEEDS.md names, and nothing more. POST /mock/ask and /mock/set steer it from tests.
import { createServer } from "node:http";
import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { dirname, extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { hostileNames } from "./hostile.mjs";

const here = dirname(fileURLToPath(import.meta.url));

const blockedNames = [
  "ads.doubleclick.example",
  "telemetry.vendor.example",
  "metrics.icloud.example",
  "app-measurement.example",
  "graph.tracker.example",
  "pixel.social.example",
  "events.analytics.example",
  "ad.mobile-network.example",
  "logs.tv-maker.example",
  "beacon.shop.example",
  "sdk.crashes.example",
  "cdn.ads.example",
];
const allowedNames = [
  "www.wikipedia.org",
  "api.weather.example",
  "mail.example.com",
  "time.example.net",
  "gateway.push.example",
  "cdn.video.example",
  "static.news.example",
  "github.example",
  "play.music.example",
  "updates.distribution.example",
  "maps.example",
  "home.example",
  "registry.example",
  "www.bank.example",
  "img.shop.example",
];
const clients = [
  ["192.168.1.20", "kitchen-tv"],
  ["192.168.1.21", "annas-phone"],
  ["192.168.1.22", "work-laptop"],
  ["192.168.1.30", "printer"],
  ["192.168.1.31", ""],
  ["fd00::1a2b:3c4d", "tablet"],
];
const types = ["A", "A", "A", "AAAA", "AAAA", "HTTPS", "PTR", "TXT"];
const blockedStatus = new Set([
  "GRAVITY",
  "REGEX",
  "DENYLIST",
  "GRAVITY_CNAME",
  "REGEX_CNAME",
  "DENYLIST_CNAME",
  "SPECIAL_DOMAIN",
  "EXTERNAL_BLOCKED_IP",
  "EXTERNAL_BLOCKED_NULL",
]);

/** The same traffic for the same seed. */
function random(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

const nowS = () => Date.now() / 1000;

class World {
  constructor(opt) {
    this.opt = opt;
    this.rand = random(7);
    this.started = nowS() - 93784;
    this.password = opt.password;
    this.sessions = new Map();
    this.streams = new Set();
    this.queries = []; // oldest first
    this.nextId = 1;
    this.blockedUntil = null; // blocking off until; Infinity: for good
    this.failures = 0;
    this.down = false;
    this.slow = 0;
    this.rules = [];
    this.nextRule = 1;
    this.hosts = opt.empty ? [] : ["192.168.1.9 nas.home.arpa"];
    this.aliases = opt.empty ? [] : ["files.home.arpa,nas.home.arpa"];
    this.lists = opt.empty ? [] : makeLists();
    if (!opt.empty) {
      this.addRule("allow", "exact", "cdn.video.example", "needed for the projector");
      this.addRule("deny", "regex", "(\\.|^)casino\\.example$", null);
      this.fill(opt.count ?? 9000);
    }
  }

  addRule(type, kind, domain, comment, timer, client) {
    const now = Math.floor(nowS());
    const r = {
      domain,
      unicode: domain,
      type,
      kind,
      comment: comment ?? null,
      groups: [0],
      enabled: true,
      id: this.nextRule++,
      date_added: now,
      date_modified: now,
      expires: timer ? now + timer : null,
      client: client ?? null,
    };
    this.rules.push(r);
    return r;
  }

  fill(n) {
    const span = 86400;
    const t0 = nowS() - span;
    const times = [];
    while (times.length < n) {
      const t = t0 + this.rand() * span;
      const hour = new Date(t * 1000).getHours();
      const busy =
        0.12 + 0.88 * Math.exp(-(((hour - 20 + 24) % 24 < 12 ? (hour - 20 + 24) % 24 : 24 - ((hour - 20 + 24) % 24)) ** 2) / 40);
      if (this.rand() < busy) times.push(t);
    }
    times.sort((a, b) => a - b);
    for (const t of times) this.push(t);
  }

  pick(a) {
    return a[Math.floor(this.rand() ** 1.7 * a.length)];
  }

  push(time, forced = {}) {
    const hostile = this.opt.hostile && this.rand() < 0.5;
    const wantBlocked = this.rand() < 0.22;
    const domain =
      forced.domain ?? (hostile ? this.pick(hostileNames) : wantBlocked ? this.pick(blockedNames) : this.pick(allowedNames));
    const [ip, name] =
      forced.client ?? (hostile && this.rand() < 0.3 ? ["192.168.1.66", "<b>evil</b>\u202eeman"] : this.pick(clients));
    const verdict = this.verdict(domain, ip);
    const paused = this.pausedFor() !== 0 && time >= nowS() - 2;
    const blocked = verdict.verdict === "blocked" && !paused;
    const cached = this.rand() < 0.42;
    const alias = !blocked && !cached && this.rand() < 0.03;
    const d = verdict.decided_by;
    const status = blocked
      ? d.source === "rule"
        ? d.subtree
          ? "REGEX"
          : "DENYLIST"
        : "GRAVITY"
      : alias
        ? "GRAVITY_CNAME"
        : cached
          ? "CACHE"
          : "FORWARDED";
    const isBlocked = blockedStatus.has(status);
    const upstream = status === "FORWARDED" ? (this.rand() < 0.7 ? "9.9.9.9#53" : "1.1.1.1#53") : null;
    const q = {
      id: this.nextId++,
      time,
      type: forced.type ?? this.pick(types),
      domain,
      cname: alias ? "collector.tracker.example" : null,
      status,
      client: { ip, name: name || null },
      dnssec: "UNKNOWN",
      reply: {
        type: isBlocked ? "IP" : this.rand() < 0.9 ? "IP" : "NXDOMAIN",
        time: upstream || alias ? 0.006 + 0.03 * this.rand() ** 3 : 0.00002 + 0.0001 * this.rand(),
      },
      list_id: isBlocked ? (d?.list_id ?? (alias ? 1 : null)) : null,
      upstream: upstream,
      ede: { code: isBlocked ? 15 : -1, text: isBlocked ? (d?.list ?? null) : null },
    };
    this.queries.push(q);
    return q;
  }

  /** What decides about a name: own allow, own deny, lists. */
  verdict(domain, client) {
    this.rules = this.rules.filter((r) => r.expires === null || r.expires > nowS());
    const found = [];
    for (const r of this.rules
      .filter((x) => x.enabled && (x.client === null || x.client === client))
      .sort((a) => (a.type === "allow" ? -1 : 1))) {
      let hit = r.domain === domain;
      if (r.kind === "regex") {
        try {
          hit = new RegExp(r.domain).test(domain);
        } catch {
          hit = false;
        }
      }
      if (hit)
        found.push({
          source: "rule",
          list_id: null,
          list: null,
          rule: r.domain,
          subtree: r.kind === "regex",
          line: null,
          action: r.type === "allow" ? "allow" : "block",
        });
    }
    const index = blockedNames.indexOf(domain);
    const listed =
      index >= 0
        ? index
        : hostileNames.indexOf(domain) >= 0 && domain.includes("<")
          ? 0
          : domain.endsWith("tracker.example")
            ? 1
            : -1;
    if (listed >= 0) {
      for (const l of this.lists.filter((x) => x.enabled && x.type === "block")) {
        if ((listed + l.id) % 2 === 0 || l.id === 1) {
          found.push({
            source: "list",
            list_id: l.id,
            list: l.name,
            rule: l.id === 1 ? domain : domain.split(".").slice(-2).join("."),
            subtree: l.id !== 1,
            line: 100 * l.id + listed,
            action: "block",
          });
        }
      }
    }
    const decided = found[0] ?? null;
    return { verdict: decided?.action === "block" ? "blocked" : "allowed", decided_by: decided, others: found.slice(1) };
  }

  /** Seconds until blocking is back; 0: it is on; Infinity: for good. */
  pausedFor() {
    if (this.blockedUntil === null) return 0;
    const left = this.blockedUntil - nowS();
    if (left > 0) return left;
    this.blockedUntil = null;
    return 0;
  }

  blocking() {
    const left = this.pausedFor();
    return { blocking: left === 0 ? "enabled" : "disabled", timer: left === 0 || left === Infinity ? null : Math.ceil(left) };
  }

  window(from = nowS() - 86400, until = Infinity) {
    return this.queries.filter((q) => q.time >= from && q.time < until);
  }

  totals() {
    const w = this.window();
    const blocked = w.filter((q) => blockedStatus.has(q.status)).length;
    const recent = w.filter((q) => q.time > nowS() - 60).length;
    return {
      total: w.length,
      blocked,
      percent_blocked: w.length ? (100 * blocked) / w.length : 0,
      frequency: recent / 60,
      ...this.blocking(),
    };
  }

  tick(count) {
    const fresh = [];
    for (let i = 0; i < count; i++) fresh.unshift(this.push(nowS()));
    this.send(fresh);
  }

  send(fresh) {
    if (fresh.length === 0) return;
    this.event("queries", { queries: fresh.slice(0, 50), skipped: Math.max(0, fresh.length - 50) });
    this.event("totals", this.totals());
  }

  event(name, data) {
    for (const s of this.streams) s.write(`event: ${name}\ndata: ${JSON.stringify(data)}\n\n`);
  }
}

function makeLists() {
  const hour = 3600;
  const now = Math.floor(nowS());
  const list = (id, name, address, number, rest) => ({
    id,
    address,
    type: "block",
    enabled: true,
    comment: null,
    groups: [0],
    date_added: now - 90 * 86400,
    date_modified: now - 9 * 86400,
    date_updated: now - 3 * hour,
    number,
    invalid_domains: 0,
    abp_entries: 0,
    status: 2,
    name,
    hits: 0,
    unique_hits: 0,
    unique: 0,
    error: null,
    configured: id === 1,
    ...rest,
  });
  return [
    list(1, "StevenBlack unified", "https://lists.example/stevenblack/hosts", 140626, {
      hits: 1622,
      unique_hits: 214,
      unique: 19626,
      examples: ["127.0.0.1 localhost localhost.localdomain", "<b>not a rule</b>"],
      invalid_domains: 9,
    }),
    list(2, "OISD basic", "https://lists.example/oisd/basic.txt", 92476, {
      hits: 1380,
      unique_hits: 96,
      unique: 21436,
      status: 1,
    }),
    list(3, "HaGeZi light", "https://lists.example/hagezi/light.txt", 122680, {
      hits: 1205,
      unique_hits: 61,
      unique: 23880,
      needs_confirm: true,
    }),
    list(4, "Phishing Army", "https://lists.example/phishing/extended.txt", 94969, {
      hits: 0,
      unique_hits: 0,
      unique: 92958,
      status: 3,
      date_updated: now - 50 * hour,
      error: "could not resolve host (tried 3 times, last 14:02); the copy of Tuesday is in use",
    }),
  ];
}

/* ---- routes ---- */

class Refusal extends Error {
  constructor(status, key, message, hint = null) {
    super(message);
    Object.assign(this, { status, key, hint });
  }
}

const wild = (pattern) =>
  new RegExp(
    "^" +
      pattern
        .split("*")
        .map((s) => s.replace(/[.+?^${}()|[\]\\]/g, "\\$&"))
        .join(".*") +
      "$",
    "is",
  );

function ranged(w, p) {
  return w.window(p.has("from") ? Number(p.get("from")) : undefined, p.has("until") ? Number(p.get("until")) : undefined);
}

function top(items, n) {
  const m = new Map();
  for (const k of items) m.set(k, (m.get(k) ?? 0) + 1);
  return [...m].sort((a, b) => b[1] - a[1]).slice(0, n);
}

function slots(w, span, slot) {
  const last = Math.floor(nowS() / slot) * slot;
  const first = last - span;
  const rows = new Map();
  for (let t = first; t <= last; t += slot) rows.set(t, { timestamp: t, total: 0, cached: 0, blocked: 0, forwarded: 0 });
  for (const q of w.queries) {
    const r = rows.get(Math.floor(q.time / slot) * slot);
    if (!r) continue;
    r.total++;
    if (blockedStatus.has(q.status)) r.blocked++;
    else if (q.status === "CACHE") r.cached++;
    else r.forwarded++;
  }
  return [...rows.values()];
}

const spanTable = { "1h": [3600, 60], "24h": [86400, 600], "7d": [604800, 3600], "30d": [2592000, 21600] };

function queryPage(w, p) {
  let rows = w.queries;
  const cursor = p.has("cursor") ? Number(p.get("cursor")) : w.nextId - 1;
  const tests = [(q) => q.id <= cursor];
  const text = (key, of) => {
    if (!p.get(key)) return;
    const re = wild(p.get(key));
    tests.push((q) => re.test(of(q)));
  };
  text("domain", (q) => q.domain);
  text("client_ip", (q) => q.client.ip);
  text("client_name", (q) => q.client.name ?? "");
  text("type", (q) => q.type);
  text("status", (q) => q.status);
  const up = p.get("upstream");
  if (up === "blocklist") tests.push((q) => blockedStatus.has(q.status));
  else if (up === "cache") tests.push((q) => q.status === "CACHE");
  else if (up === "permitted") tests.push((q) => !blockedStatus.has(q.status));
  else if (up) tests.push((q) => q.upstream === up);
  if (p.has("from")) tests.push((q) => q.time >= Number(p.get("from")));
  if (p.has("until")) tests.push((q) => q.time < Number(p.get("until")));
  rows = rows.filter((q) => tests.every((t) => t(q))).reverse();
  const start = Number(p.get("start") ?? 0);
  return {
    queries: rows.slice(start, start + Number(p.get("length") ?? 100)),
    cursor,
    recordsTotal: w.queries.length,
    recordsFiltered: rows.length,
    draw: 0,
  };
}

function summary(w) {
  const t = w.totals();
  const win = w.window();
  const n = (s) => win.filter((q) => q.status === s).length;
  return {
    queries: {
      total: t.total,
      blocked: t.blocked,
      percent_blocked: t.percent_blocked,
      unique_domains: new Set(win.map((q) => q.domain)).size,
      forwarded: n("FORWARDED"),
      cached: n("CACHE"),
      frequency: t.frequency,
      types: {},
      status: {},
      replies: {},
    },
    clients: { active: new Set(win.map((q) => q.client.ip)).size, total: new Set(win.map((q) => q.client.ip)).size },
    gravity: { domains_being_blocked: w.lists.reduce((a, l) => a + l.number, 0), last_update: w.lists[0]?.date_updated ?? 0 },
  };
}

function statusOf(w) {
  return {
    version: "0.1.0",
    time: nowS(),
    uptime: Math.floor(nowS() - w.started),
    since: Math.floor(nowS() - 30 * 86400),
    window: { from: Math.floor(nowS() - 86400), until: Math.floor(nowS()) },
    window_tops: { from: Math.floor(nowS() - 86400), until: Math.floor(nowS()) },
    frequency_s: 60,
    lists: {
      count: w.lists.filter((l) => l.enabled).length,
      failed: w.lists.filter((l) => l.status > 2).length,
      rules: w.lists.reduce((a, l) => a + l.number, 0),
      updated: w.lists[0]?.date_updated ?? 0,
      updating: false,
    },
    upstream: { median_ms: w.queries.length ? 11.8 : null, p95_ms: 48.1, answers: 5321, failures: 3, window_s: 3600 },
    memory: { resident: 41943040, lists: w.lists.length ? 11534336 : 0 },
    spans: ["1h", "24h", "7d", "30d"],
    features: ["check", "events", "timed_rules", "client_rules", "lists", "ranges", "update", "owner"].filter(
      (f) => !w.opt.without.includes(f),
    ),
  };
}

function check(w, p) {
  const domain = (p.get("domain") ?? "").toLowerCase();
  if (domain === "" || domain.length > 300) throw new Refusal(400, "bad_request", "not a domain name");
  const ip = p.get("client");
  const known = clients.find((c) => c[0] === ip);
  const v = w.verdict(domain, ip);
  return {
    domain,
    client: ip ? { ip, name: known?.[1] || null, group: "Default" } : null,
    ...v,
    paused: w.pausedFor() !== 0,
    answer: v.verdict === "blocked" ? "0.0.0.0" : null,
  };
}

function domains(w, method, parts, body, p) {
  const [type, kind, domain] = parts;
  w.rules = w.rules.filter((r) => r.expires === null || r.expires > nowS());
  if (method === "GET") {
    return [
      200,
      {
        domains: w.rules.filter(
          (r) => (!type || r.type === type) && (!kind || r.kind === kind) && (!domain || r.domain === domain),
        ),
      },
    ];
  }
  if (!["allow", "deny"].includes(type) || !["exact", "regex"].includes(kind))
    throw new Refusal(400, "uri_error", "Invalid request: Specify type and kind");
  const at = w.rules.findIndex((r) => r.type === type && r.kind === kind && r.domain === domain && r.client === p.get("client"));
  let done;
  if (method === "POST") {
    const name = String(body?.domain ?? "");
    if (kind === "exact" && !/^[a-z0-9_-]+(\.[a-z0-9_-]+)*$/.test(name)) {
      return [201, { domains: [], processed: { success: [], errors: [{ item: name, error: "not a domain name" }] } }];
    }
    if (w.rules.some((r) => r.type === type && r.kind === kind && r.domain === name && r.client === (body.client ?? null)))
      throw new Refusal(400, "database_error", "it is there already");
    done = [
      201,
      {
        domains: [w.addRule(type, kind, name, body.comment, body.timer, body.client)],
        processed: { success: [{ item: name }], errors: [] },
      },
    ];
  } else if (at < 0) {
    throw new Refusal(404, "not_found", "no such rule");
  } else if (method === "PUT") {
    Object.assign(w.rules[at], { comment: body.comment ?? null, enabled: body.enabled !== false });
    done = [200, { domains: [w.rules[at]], processed: { success: [{ item: domain }], errors: [] } }];
  } else {
    w.rules.splice(at, 1);
    done = [204, null];
  }
  w.event("change", { what: "domains" });
  return done;
}

function lists(w, method, address, body, p) {
  const type = p.get("type") ?? "block";
  const at = w.lists.findIndex((l) => l.address === address && l.type === type);
  if (method === "GET") return [200, { lists: w.lists }];
  let done;
  if (method === "POST") {
    if (!/^(https?|file):\/\//.test(body?.address ?? ""))
      return [
        201,
        {
          lists: [],
          processed: { success: [], errors: [{ item: String(body?.address), error: "expected http://, https:// or file://" }] },
        },
      ];
    const now = Math.floor(nowS());
    w.lists.push({
      ...makeLists()[0],
      id: 1 + Math.max(0, ...w.lists.map((l) => l.id)),
      address: body.address,
      type,
      name: "",
      number: 0,
      hits: 0,
      unique_hits: 0,
      unique: 0,
      invalid_domains: 0,
      date_added: now,
      date_updated: 0,
      status: 0,
      configured: false,
    });
    done = [201, { lists: [], processed: { success: [{ item: body.address }], errors: [] } }];
  } else if (at < 0) {
    throw new Refusal(404, "not_found", "no such list");
  } else if (method === "PUT") {
    w.lists[at].enabled = body.enabled !== false;
    done = [200, { lists: [w.lists[at]], processed: { success: [{ item: address }], errors: [] } }];
  } else {
    w.lists.splice(at, 1);
    done = [204, null];
  }
  w.event("change", { what: "lists" });
  return done;
}

/** config/dns/hosts and config/dns/cnameRecords */
function records(w, method, key, item) {
  const of = key === "hosts" ? "hosts" : "aliases";
  if (method === "GET") return [200, { config: { dns: { [key]: w[of] } } }];
  const there = w[of].includes(item);
  if (method === "PUT") {
    if (there) throw new Refusal(400, "bad_request", "Item already present");
    if (of === "hosts" && !/^[0-9a-f.:]+ [a-z0-9.-]+$/.test(item))
      throw new Refusal(400, "bad_request", "expected an address and a name");
    w[of].push(item);
    return [201, { config: {} }];
  }
  if (!there) throw new Refusal(404, "not_found", "Item not found");
  w[of] = w[of].filter((x) => x !== item);
  return [204, null];
}

function setBlocking(w, body) {
  if (typeof body?.blocking !== "boolean") throw new Refusal(400, "body_error", "blocking must be true or false");
  w.blockedUntil = body.blocking ? null : body.timer ? nowS() + body.timer : Infinity;
  w.event("totals", w.totals());
  return w.blocking();
}

function route(w, method, parts, p, body) {
  const key = `${method} ${parts.slice(0, 2).join("/")}`;
  if (parts[0] === "lists") return lists(w, method, parts[1], body, p);
  if (parts[0] === "config" && parts[1] === "dns") return records(w, method, parts[2], parts[3]);
  if (parts[0] === "domains") return domains(w, method, parts.slice(1), body, p);
  const clientsOf = (rows) =>
    top(
      rows.map((q) => q.client.ip),
      Number(p.get("count") ?? 10),
    ).map(([ip, count]) => ({ ip, name: rows.find((q) => q.client.ip === ip).client.name ?? "", count }));
  switch (key) {
    case "GET dns/blocking":
      return [200, w.blocking()];
    case "POST dns/blocking":
      return [200, setBlocking(w, body)];
    case "GET stats/summary":
      return [200, summary(w)];
    case "GET stats/top_domains": {
      const blocked = p.get("blocked") === "true";
      const rows = ranged(w, p);
      const names = rows.filter((q) => blockedStatus.has(q.status) === blocked).map((q) => q.domain);
      return [
        200,
        {
          domains: top(names, Number(p.get("count") ?? 10)).map(([domain, count]) => ({ domain, count })),
          total_queries: rows.length,
          blocked_queries: 0,
        },
      ];
    }
    case "GET stats/top_clients":
      return [200, { clients: clientsOf(ranged(w, p)), total_queries: 0, blocked_queries: 0 }];
    case "GET stats/upstreams": {
      const rows = ranged(w, p);
      const of = (ip) => rows.filter((q) => q.upstream === `${ip}#53`);
      const real = ["9.9.9.9", "1.1.1.1"].map((ip) => ({
        ip,
        name: ip === "9.9.9.9" ? "dns.quad9.example" : "",
        port: 53,
        count: of(ip).length,
        statistics: { response: ip === "9.9.9.9" ? 0.0118 : 0.0192, variance: 0.00001 },
      }));
      const own = (ip, count) => ({ ip, name: ip, port: -1, count, statistics: { response: 0, variance: 0 } });
      return [
        200,
        {
          upstreams: [
            own("blocklist", rows.filter((q) => blockedStatus.has(q.status)).length),
            own("cache", rows.filter((q) => q.status === "CACHE").length),
            ...real,
          ],
          forwarded_queries: real[0].count + real[1].count,
          total_queries: rows.length,
        },
      ];
    }
    case "GET history":
      return [200, { history: w.queries.length ? slots(w, 86400, 600) : [] }];
    case "GET queries":
      return [200, queryPage(w, p)];
    case "GET info/version":
      return [200, { version: {} }];
    case "POST action/gravity": {
      for (const l of w.lists) Object.assign(l, { date_updated: Math.floor(nowS()), status: l.status === 3 ? 3 : 2 });
      w.event("change", { what: "lists" });
      return [200, `  [i] ${w.lists.length} lists read\n  Done: ${w.lists.reduce((a, l) => a + l.number, 0)} rules.\n`];
    }
    case "GET sinkhole/status":
      return [200, statusOf(w)];
    case "GET sinkhole/lists": {
      const list = w.lists.find((x) => x.id === Number(parts[2]));
      if (!list?.needs_confirm || parts[3] !== "held") throw new Refusal(404, "not_found", "No update of this list is held back");
      const rule = { name: "was.example", itself: true, below: false, type: "block" };
      const held = { reason: "it has less than two thirds of its rules", fetched: Math.floor(nowS()) - 60, octets: 90_000 };
      const diff = { added: 0, removed: 117_969, added_rules: [], removed_rules: [rule] };
      const counts = { suffix: 0, popular: 0, used: 0 };
      return [200, { list, held: { ...held, rules: 4711, rules_before: 122_680, compared: true, counts, names: [], ...diff } }];
    }
    case "POST sinkhole/lists": {
      const l = w.lists.find((x) => x.id === Number(parts[2]));
      if (!l) throw new Refusal(404, "not_found", "There is no such list");
      Object.assign(l, { needs_confirm: false, status: 1, date_updated: Math.floor(nowS()), number: 4711 });
      return [202, { list: l }];
    }
    case "GET sinkhole/rules":
      return [200, { version: 1, own: w.rules, hosts: w.hosts, cnames: w.aliases }];
    case "PUT sinkhole/rules":
      if (!Array.isArray(body?.own)) throw new Refusal(400, "bad_request", "Not a good rules document", "own: expected an array");
      Object.assign(w, { rules: body.own, hosts: body.hosts ?? [], aliases: body.cnames ?? [] });
      return [200, body];
    case "PUT sinkhole/password":
      if (String(body?.password ?? "").length < 8)
        throw new Refusal(400, "bad_request", "The password is too short or too long", "8 to 1024 octets");
      w.password = body.password;
      return [200, { status: "success" }];
    case "GET sinkhole/check":
      return [200, check(w, p)];
    case "GET sinkhole/history": {
      const [span, slot] = spanTable[p.get("span")] ?? spanTable["24h"];
      return [200, { span_s: span, slot_s: slot, history: w.queries.length ? slots(w, span, slot) : [] }];
    }
    default:
      throw new Refusal(404, "not_found", "Not found");
  }
}

/* ---- sessions ---- */

function sidOf(req) {
  return /(?:^|;\s*)sid=([^;]*)/.exec(req.headers.cookie ?? "")?.[1];
}

function sessionBody(valid, sid, csrf, message) {
  return { session: { valid, totp: false, sid, csrf, validity: valid && sid ? 1800 : -1, message } };
}

function authRoute(w, req, body, res) {
  const sid = sidOf(req);
  const s = sid && w.sessions.get(decodeURIComponent(sid));
  if (w.password === null) return [200, sessionBody(true, null, null, "no password set")];
  if (req.method === "GET")
    return s ? [200, sessionBody(true, s.sid, s.csrf, null)] : [401, sessionBody(false, null, null, null)];
  if (req.method === "DELETE") {
    if (!s) throw new Refusal(401, "unauthorized", "Unauthorized");
    w.sessions.delete(s.sid);
    return [204, null];
  }
  if (typeof body?.password !== "string") throw new Refusal(400, "bad_request", "No password found in JSON payload");
  if (w.failures >= 5) throw new Refusal(429, "rate_limiting", "Rate-limiting login attempts");
  if (body.password !== w.password) {
    w.failures++;
    return [401, sessionBody(false, null, null, "password incorrect")];
  }
  w.failures = 0;
  const made = { sid: randomBytes(16).toString("base64"), csrf: randomBytes(16).toString("base64") };
  w.sessions.set(made.sid, made);
  res.setHeader("Set-Cookie", `sid=${encodeURIComponent(made.sid)}; SameSite=Lax; Path=/; Max-Age=1800; HttpOnly`);
  return [200, sessionBody(true, made.sid, made.csrf, "password correct")];
}

function admitted(w, req) {
  if (w.password === null) return true;
  const s = w.sessions.get(decodeURIComponent(sidOf(req) ?? ""));
  return s !== undefined && req.headers["x-csrf-token"] === s.csrf;
}

/* ---- server ---- */

const mime = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
};
const csp =
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

async function serveFile(web, path, res) {
  const name = normalize(path === "/" ? "/index.html" : path);
  try {
    const data = await readFile(join(web, name));
    res.writeHead(200, {
      "Content-Type": mime[extname(name)] ?? "application/octet-stream",
      "Content-Security-Policy": csp,
      "X-Content-Type-Options": "nosniff",
      "Cache-Control": "no-cache",
    });
    res.end(data);
  } catch {
    res.writeHead(404).end();
  }
}

function reply(res, status, body) {
  if (body === null) return res.writeHead(status).end();
  if (typeof body === "string") return res.writeHead(status, { "Content-Type": "text/plain" }).end(body);
  res.writeHead(status, { "Content-Type": "application/json; charset=utf-8", "Cache-Control": "no-store" });
  res.end(JSON.stringify({ ...body, took: 0.0002 }));
}

function stream(w, req, res) {
  res.writeHead(200, { "Content-Type": "text/event-stream", "Cache-Control": "no-store" });
  res.write(`event: totals\ndata: ${JSON.stringify(w.totals())}\n\n`);
  const beat = setInterval(() => res.write(":\n\n"), 15000);
  w.streams.add(res);
  res.on("close", () => {
    clearInterval(beat);
    w.streams.delete(res);
  });
}

/** Steers the mock: {"domain","type","client"} asks; {"down","slow","empty",…} sets. */
function steer(w, what, body) {
  if (what === "ask") {
    const q = w.push(nowS(), { domain: body.domain, type: body.type ?? "A", client: body.client ?? ["127.0.0.1", ""] });
    w.send([q]);
    return { id: q.id, status: q.status };
  }
  if (what === "burst") {
    w.tick(body.count);
    return {};
  }
  if (body.empty === true) Object.assign(w, { queries: [], lists: [], rules: [] });
  if (body.sessions === 0) w.sessions.clear();
  if (body.failures !== undefined) w.failures = body.failures;
  if (body.down !== undefined) {
    w.down = body.down;
    if (w.down) for (const s of w.streams) s.destroy();
  }
  if (body.slow !== undefined) w.slow = body.slow;
  return {};
}

async function readBody(req) {
  let text = "";
  for await (const chunk of req) text += chunk;
  if (text === "") return null;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

async function handle(w, web, req, res) {
  const url = new URL(req.url, "http://mock");
  const path = url.pathname.replace(/\/+/g, "/");
  const body = await readBody(req);
  if (path.startsWith("/mock/")) return reply(res, 200, steer(w, path.slice(6), body ?? {}));
  if (w.down) return req.socket.destroy();
  if (!path.startsWith("/api/")) return serveFile(web, path, res);
  if (w.slow) await new Promise((done) => setTimeout(done, w.slow));
  const parts = path
    .slice(5)
    .split("/")
    .filter((s) => s !== "")
    .map(decodeURIComponent);
  try {
    if (parts[0] === "auth" && parts.length === 1) return reply(res, ...authRoute(w, req, body, res));
    if (!admitted(w, req)) throw new Refusal(401, "unauthorized", "Unauthorized");
    if (w.opt.without.includes(parts[0]) || w.opt.without.includes(parts[1])) throw new Refusal(404, "not_found", "Not found");
    if (parts.join("/") === "sinkhole/events") return stream(w, req, res);
    return reply(res, ...route(w, req.method, parts, url.searchParams, body));
  } catch (e) {
    if (!(e instanceof Refusal)) console.error(e);
    return reply(res, e.status ?? 500, { error: { key: e.key ?? "internal", message: e.message, hint: e.hint ?? null } });
  }
}

/** Starts a mock; resolves to {url, world, close}. */
export async function startMock(options = {}) {
  const opt = { password: "mock", rate: 2, without: [], web: join(here, "../../build/web"), port: 0, ...options };
  const w = new World(opt);
  const server = createServer(
    (req, res) =>
      void handle(w, opt.web, req, res).catch((e) => {
        console.error(e);
        res.destroy();
      }),
  );
  await new Promise((done) => server.listen(opt.port, "127.0.0.1", done));
  let owed = 0;
  const timer = setInterval(() => {
    owed += opt.rate * (0.3 + 1.4 * w.rand());
    w.tick(Math.floor(owed));
    owed -= Math.floor(owed);
  }, 1000);
  const close = () => {
    clearInterval(timer);
    server.closeAllConnections();
    return new Promise((done) => server.close(done));
  };
  return { url: `http://127.0.0.1:${server.address().port}`, world: w, close };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const args = process.argv.slice(2);
  const value = (name) => (args.includes(name) ? args[args.indexOf(name) + 1] : undefined);
  const mock = await startMock({
    ...(value("--port") && { port: Number(value("--port")) }),
    ...(value("--password") && { password: value("--password") }),
    ...(args.includes("--no-password") && { password: null }),
    ...(value("--rate") && { rate: Number(value("--rate")) }),
    ...(value("--without") && { without: value("--without").split(",") }),
    ...(value("--web") && { web: value("--web") }),
    hostile: args.includes("--hostile"),
    empty: args.includes("--empty"),
  });
  console.log(`mock sinkhole at ${mock.url}, password ${mock.world.password === null ? "not needed" : mock.world.password}`);
}
