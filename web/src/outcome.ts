// What became of a query, in the four groups that the page shows, from the API's status words.
import type { Query } from "./types.ts";

export type Outcome = "blocked" | "forwarded" | "cached" | "other";

export const outcomes: Outcome[] = ["blocked", "forwarded", "cached", "other"];

const words: Record<string, [Outcome, string]> = {
  GRAVITY: ["blocked", "on a list"],
  REGEX: ["blocked", "by your pattern"],
  DENYLIST: ["blocked", "by your rule"],
  EXTERNAL_BLOCKED_IP: ["blocked", "by the upstream"],
  EXTERNAL_BLOCKED_NULL: ["blocked", "by the upstream"],
  EXTERNAL_BLOCKED_NXRA: ["blocked", "by the upstream"],
  EXTERNAL_BLOCKED_EDE15: ["blocked", "by the upstream"],
  GRAVITY_CNAME: ["blocked", "its alias is on a list"],
  REGEX_CNAME: ["blocked", "its alias matches your pattern"],
  DENYLIST_CNAME: ["blocked", "its alias is under your rule"],
  SPECIAL_DOMAIN: ["blocked", "a special name"],
  FORWARDED: ["forwarded", "asked upstream"],
  RETRIED: ["forwarded", "asked upstream again"],
  RETRIED_DNSSEC: ["forwarded", "asked upstream again"],
  IN_PROGRESS: ["forwarded", "waiting for the upstream"],
  CACHE: ["cached", "known already"],
  CACHE_STALE: ["cached", "known already, refreshed behind"],
  DBBUSY: ["other", "not answered: busy"],
  UNKNOWN: ["other", "not known"],
};

export function outcomeOf(q: Query): Outcome {
  return words[q.status ?? "UNKNOWN"]?.[0] ?? "other";
}

/** The word for a group. */
export const outcomeWord: Record<Outcome, string> = {
  blocked: "Blocked",
  forwarded: "Forwarded",
  cached: "From cache",
  other: "Other",
};

/** How it came to it, in a few words. */
export function outcomeDetail(q: Query): string {
  return words[q.status ?? "UNKNOWN"]?.[1] ?? (q.status ?? "").toLowerCase().replace(/_/g, " ");
}

export function blockedByAlias(q: Query): boolean {
  return (q.status ?? "").endsWith("_CNAME");
}
