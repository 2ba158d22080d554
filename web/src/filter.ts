// The query log's filter: what a person types and picks, in the URL, as parameters of /api/queries, and as a test on a row.
import { outcomeOf } from "./outcome.ts";
import type { Query } from "./types.ts";

export type Show = "" | "blocked" | "allowed" | "forwarded" | "cached";

export interface Filter {
  text: string; // words that a name must contain, -words that it must not
  client: string; // an address, or ""
  type: string; // a record type, or ""
  show: Show;
  from: number; // unix seconds; 0: open
  until: number;
}

export const noFilter: Filter = { text: "", client: "", type: "", show: "", from: 0, until: 0 };

const shows: Show[] = ["", "blocked", "allowed", "forwarded", "cached"];

export function isFiltered(f: Filter): boolean {
  return f.text.trim() !== "" || f.client !== "" || f.type !== "" || f.show !== "" || f.from !== 0;
}

export interface Words {
  want: string[];
  not: string[];
}

export function parseText(text: string): Words {
  const words = text
    .toLowerCase()
    .split(/\s+/)
    .filter((w) => w !== "" && w !== "-");
  return {
    want: words.filter((w) => !w.startsWith("-")),
    not: words.filter((w) => w.startsWith("-")).map((w) => w.slice(1)),
  };
}

/** True when the row passes. words: parseText(f.text), parsed once for many rows. */
export function matches(q: Query, f: Filter, words: Words): boolean {
  const name = q.domain.toLowerCase();
  const outcome = outcomeOf(q);
  if (f.client !== "" && q.client.ip !== f.client) return false;
  if (f.type !== "" && q.type !== f.type) return false;
  if (f.show === "allowed" && outcome === "blocked") return false;
  if (f.show !== "" && f.show !== "allowed" && outcome !== f.show) return false;
  if (f.from !== 0 && (q.time < f.from || q.time >= f.until)) return false;
  return words.want.every((w) => name.includes(w)) && !words.not.some((w) => name.includes(w));
}

/** What the server can sort out by itself; matches() does the rest. */
export function apiParams(f: Filter): URLSearchParams {
  const p = new URLSearchParams();
  const longest = parseText(f.text)
    .want.filter((w) => !w.includes("*"))
    .sort((a, b) => b.length - a.length)[0];
  if (longest !== undefined) p.set("domain", `*${longest}*`);
  if (f.client !== "") p.set("client_ip", f.client);
  if (f.type !== "") p.set("type", f.type);
  if (f.show === "blocked") p.set("upstream", "blocklist");
  if (f.show === "cached") p.set("upstream", "cache");
  if (f.show === "allowed" || f.show === "forwarded") p.set("upstream", "permitted");
  if (f.from !== 0) {
    p.set("from", String(f.from));
    p.set("until", String(f.until));
  }
  return p;
}

/** True when apiParams() says all of it, so that the server's answer needs no sorting out here. */
export function serverCan(f: Filter): boolean {
  const w = parseText(f.text);
  return w.not.length === 0 && w.want.length <= 1 && !f.text.includes("*") && f.show !== "forwarded";
}

export function toSearch(f: Filter): string {
  const p = new URLSearchParams();
  if (f.text.trim() !== "") p.set("q", f.text.trim());
  if (f.client !== "") p.set("client", f.client);
  if (f.type !== "") p.set("type", f.type);
  if (f.show !== "") p.set("show", f.show);
  if (f.from !== 0) {
    p.set("from", String(f.from));
    p.set("until", String(f.until));
  }
  const s = p.toString();
  return s === "" ? "" : "?" + s;
}

const seconds = (s: string | null): number => (s !== null && /^\d{1,12}$/.test(s) ? Number(s) : 0);

/** Reads a filter out of a URL that anybody may have written. */
export function fromSearch(search: string): Filter {
  const p = new URLSearchParams(search);
  const text = (s: string | null, max: number): string => (s ?? "").slice(0, max);
  const from = seconds(p.get("from"));
  const until = seconds(p.get("until"));
  const spanned = from > 0 && until > from;
  return {
    text: text(p.get("q"), 500),
    client: text(p.get("client"), 100),
    type: text(p.get("type"), 16).toUpperCase(),
    show: shows.find((s) => s === p.get("show")) ?? "",
    from: spanned ? from : 0,
    until: spanned ? until : 0,
  };
}
