// A person's own rules: add, switch, remove, and take back.
import { ApiError, call } from "./api.ts";
import { duration } from "./format.ts";
import { toast } from "./parts.tsx";
import { heard, rules } from "./state.ts";
import type { Processed, Rule, RuleKind, RuleType } from "./types.ts";

const pathOf = (type: RuleType, kind: RuleKind, domain?: string): string =>
  `domains/${type}/${kind}` + (domain === undefined ? "" : "/" + encodeURIComponent(domain));

/** What people type: a name with blanks, a scheme, a path or a final dot around it. */
export function tidyName(s: string): string {
  return s.trim().replace(/^[a-z]+:\/\//i, "").replace(/[/?#:].*$/, "").replace(/\.$/, "").toLowerCase();
}

/** A pattern for a name and all below it, as Pi-hole writes it. */
export function patternBelow(name: string): string {
  return `(\\.|^)${name.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")}$`;
}

interface NewRule {
  type: RuleType;
  kind: RuleKind;
  domain: string;
  comment?: string | null;
  timer?: number | null;
}

async function post(r: NewRule): Promise<void> {
  const body = { domain: r.domain, comment: r.comment ?? null, groups: [0], enabled: true, ...(r.timer ? { timer: r.timer } : {}) };
  const answer = await heard(call<{ processed?: Processed | null }>("POST", pathOf(r.type, r.kind), body));
  const bad = answer.processed?.errors[0];
  if (bad !== undefined) throw new ApiError("refused", bad.error);
}

const remove = (r: Pick<Rule, "type" | "kind" | "domain">): Promise<unknown> =>
  heard(call("DELETE", pathOf(r.type, r.kind, r.domain)));

export const verb: Record<RuleType, string> = { allow: "Allowed", deny: "Blocked" };

/** Adds a rule; one that says the opposite about the same name goes. True when it is there. */
export async function addRule(r: NewRule): Promise<boolean> {
  const opposite = rules.data.value?.find((x) => x.kind === r.kind && x.domain === r.domain && x.type !== r.type);
  try {
    if (opposite) await remove(opposite);
    await post(r);
    await rules.load();
    const added = { type: r.type, kind: r.kind, domain: r.domain };
    toast(`${verb[r.type]} ${r.timer ? `for ${duration(r.timer)}` : "from now on"}: ${r.domain}`, {
      undo: () => void removeRule(added, false),
    });
    return true;
  } catch (e) {
    toast(`Not added: ${(e as Error).message}`, { bad: true });
    return false;
  }
}

export async function removeRule(r: Pick<Rule, "type" | "kind" | "domain"> & { comment?: string | null }, offerUndo = true): Promise<boolean> {
  try {
    await remove(r);
    await rules.load();
    const again = () => void addRule({ type: r.type, kind: r.kind, domain: r.domain, comment: r.comment });
    toast(`Rule removed: ${r.domain}`, offerUndo ? { undo: again } : {});
    return true;
  } catch (e) {
    toast(`Not removed: ${(e as Error).message}`, { bad: true });
    return false;
  }
}

export async function switchRule(r: Rule, enabled: boolean): Promise<void> {
  try {
    await heard(call("PUT", pathOf(r.type, r.kind, r.domain), { comment: r.comment, groups: [0], enabled }));
    await rules.load();
  } catch (e) {
    toast(`Not changed: ${(e as Error).message}`, { bad: true });
  }
}
