// A person's own rules: add, switch, remove, and take back.
import { ApiError, call } from "./api.ts";
import { act } from "./form.tsx";
import { duration } from "./format.ts";
import { nameBelow } from "./names.ts";
import { rules } from "./state.ts";
import type { Processed, Rule, RuleType } from "./types.ts";

/** What names a rule: there is one for each. */
export type RuleKey = Pick<Rule, "type" | "kind" | "domain" | "client">;

const pathOf = (r: RuleKey): string =>
  `domains/${r.type}/${r.kind}/${encodeURIComponent(r.domain)}` + (r.client ? `?client=${encodeURIComponent(r.client)}` : "");

export interface NewRule extends RuleKey {
  comment?: string | null;
  groups?: number[]; // [0]: everybody
  timer?: number | null; // seconds until it goes away; null: stays
  expires?: number | null; // the same as a moment, of a rule that is there
}

/** Seconds that a rule has left, at least one; null: it stays. */
export const leftOf = (r: { expires?: number | null }): number | null =>
  r.expires ? Math.max(1, Math.round(r.expires - Date.now() / 1000)) : null;

async function post(r: NewRule): Promise<void> {
  const body = {
    domain: r.domain,
    comment: r.comment ?? null,
    groups: r.groups ?? [0],
    enabled: true,
    ...(r.timer ? { timer: r.timer } : {}),
    ...(r.client ? { client: r.client } : {}),
  };
  const answer = await call<{ processed?: Processed | null }>("POST", `domains/${r.type}/${r.kind}`, body);
  const bad = answer.processed?.errors[0];
  if (bad !== undefined) throw new ApiError("refused", bad.error);
}

const remove = (r: RuleKey): Promise<unknown> => call("DELETE", pathOf(r));

export const verb: Record<RuleType, string> = { allow: "Allowed", deny: "Blocked" };

/** What the rule is about, as a person wrote it. */
export const ruleWords = (r: Pick<Rule, "domain" | "kind">): string =>
  r.kind === "regex" ? (nameBelow(r.domain) ?? r.domain) : r.domain;

/** Adds a rule; one that says the opposite about the same name goes. True when it is there. */
export function addRule(r: NewRule): Promise<boolean> {
  const opposite = rules.data.value?.find(
    (x) => x.kind === r.kind && x.domain === r.domain && (x.client ?? null) === (r.client ?? null) && x.type !== r.type,
  );
  const replace = async () => {
    if (opposite) await remove(opposite);
    await post(r);
    await rules.load();
  };
  return act(replace, {
    done: `${verb[r.type]} ${r.timer ? `for ${duration(r.timer)}` : "from now on"}: ${ruleWords(r)}`,
    failed: "Not added",
    undo: () => void removeRule(r, false),
  });
}

export function removeRule(r: NewRule, offerUndo = true): Promise<boolean> {
  const gone = async () => {
    await remove(r);
    await rules.load();
  };
  return act(gone, {
    done: `Rule removed: ${ruleWords(r)}`,
    failed: "Not removed",
    undo: offerUndo ? () => void addRule({ ...r, timer: leftOf(r) }) : undefined,
  });
}

/** What can be changed of a rule; what is not named stays. */
export type RuleChange = Partial<Pick<Rule, "comment" | "enabled" | "groups">> & { timer?: number | null };

export function changeRule(r: Rule, what: RuleChange): Promise<boolean> {
  const body = { comment: r.comment, groups: r.groups, enabled: r.enabled, timer: leftOf(r), ...what };
  return act(() => call("PUT", pathOf(r), body), { after: rules.load });
}
