// Names as people write them, made into what a rule takes, and local records as the API writes them.
import type { LocalRecord } from "./types.ts";

/** What people type: a name with blanks, a scheme, a path or a final dot around it. */
export function tidyName(s: string): string {
  return s
    .trim()
    .replace(/^[a-z]+:\/\//i, "")
    .replace(/[/?#:].*$/, "")
    .replace(/\.$/, "")
    .toLowerCase();
}

/** A pattern for a name and all below it, as Pi-hole writes it. */
export function patternBelow(name: string): string {
  return `(\\.|^)${name.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")}$`;
}

/** The name of a pattern that patternBelow() made; null for any other. */
export function nameBelow(pattern: string): string | null {
  const m = /^\(\\\.\|\^\)((?:[a-z0-9_-]|\\\.)+)\$$/.exec(pattern);
  return m ? m[1]!.replace(/\\\./g, ".") : null;
}

/** "192.0.2.7 nas.example" */
export function parseHost(item: string): LocalRecord {
  const [target = "", ...names] = item.trim().split(/\s+/);
  return { kind: "host", name: names.join(" "), target, item };
}

/** "alias,target" or "alias,target,ttl" */
export function parseAlias(item: string): LocalRecord {
  const [name = "", target = ""] = item.split(",");
  return { kind: "alias", name: name.trim(), target: target.trim(), item };
}

/** "home.arpa 300 MX 10 mail.home.arpa"; the seconds may be left out. */
export function parseRecord(item: string): LocalRecord {
  const m = /^(\S+)\s+(?:\d+\s+)?(\S+)\s+(.*)$/.exec(item.trim());
  return { kind: "record", name: m?.[1] ?? item, type: m?.[2] ?? "", target: m?.[3] ?? "", item };
}
