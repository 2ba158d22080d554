// A person's own rules: add, switch, remove, and take back.
import { ApiError, call } from "./api.ts";
import { duration } from "./format.ts";
import { toast } from "./parts.tsx";
import { heard, rules } from "./state.ts";
import type { Processed, Rule, RuleType } from "./types.ts";

/** What names a rule: there is one for each. */
export type RuleKey = Pick<Rule, "type" | "kind" | "domain" | "client">;

const pathOf = (r: RuleKey): string =>
  `domains/${r.type}/${r.kind}/${encodeURIComponent(r.domain)}` + (r.client ? `?client=${encodeURIComponent(r.client)}` : "");

export interface NewRule extends RuleKey {
  comment?: string | null;
  timer?: number | null; // seconds until it goes away; null: stays
}

async function post(r: NewRule): Promise<void> {
  const body = {
    domain: r.domain,
    comment: r.comment ?? null,
    groups: [0],
    enabled: true,
    ...(r.timer ? { timer: r.timer } : {}),
    ...(r.client ? { client: r.client } : {}),
  };
  const answer = await heard(call<{ processed?: Processed | null }>("POST", `domains/${r.type}/${r.kind}`, body));
  const bad = answer.processed?.errors[0];
  if (bad !== undefined) throw new ApiError("refused", bad.error);
}

const remove = (r: RuleKey): Promise<unknown> => heard(call("DELETE", pathOf(r)));

export const verb: Record<RuleType, string> = { allow: "Allowed", deny: "Blocked" };

/** Adds a rule; one that says the opposite about the same name goes. True when it is there. */
export async function addRule(r: NewRule): Promise<boolean> {
  const opposite = rules.data.value?.find(
    (x) => x.kind === r.kind && x.domain === r.domain && (x.client ?? null) === (r.client ?? null) && x.type !== r.type,
  );
  try {
    if (opposite) await remove(opposite);
    await post(r);
    await rules.load();
    const added = { type: r.type, kind: r.kind, domain: r.domain, client: r.client };
    toast(`${verb[r.type]} ${r.timer ? `for ${duration(r.timer)}` : "from now on"}: ${r.domain}`, {
      undo: () => void removeRule(added, false),
    });
    return true;
  } catch (e) {
    toast(`Not added: ${(e as Error).message}`, { bad: true });
    return false;
  }
}

export async function removeRule(r: RuleKey & { comment?: string | null }, offerUndo = true): Promise<boolean> {
  try {
    await remove(r);
    await rules.load();
    const again = () => void addRule({ type: r.type, kind: r.kind, domain: r.domain, client: r.client, comment: r.comment });
    toast(`Rule removed: ${r.domain}`, offerUndo ? { undo: again } : {});
    return true;
  } catch (e) {
    toast(`Not removed: ${(e as Error).message}`, { bad: true });
    return false;
  }
}

export async function switchRule(r: Rule, enabled: boolean): Promise<void> {
  try {
    await heard(call("PUT", pathOf(r), { comment: r.comment, groups: [0], enabled }));
    await rules.load();
  } catch (e) {
    toast(`Not changed: ${(e as Error).message}`, { bad: true });
  }
}
