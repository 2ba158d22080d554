// A person's own rules, above all lists.
import { signal, useSignal } from "@preact/signals";
import { Addresses } from "./addresses.tsx";
import { Choice, Field, SaveOr, Switch } from "./form.tsx";
import { dateOf, duration } from "./format.ts";
import { Modal } from "./modal.tsx";
import { nameBelow, patternBelow, tidyName } from "./names.ts";
import { OwnFile } from "./ownfile.tsx";
import { Loaded, Name, Rows, toast } from "./parts.tsx";
import { deviceName, fromWhom, groupWords, whomOf, whoms, type Whom } from "./policy.ts";
import { addRule, changeRule, removeRule, ruleWords, verb } from "./rules.ts";
import { features, now, rules } from "./state.ts";
import type { Rule, RuleType } from "./types.ts";
import { openWhy } from "./why.tsx";

type Scope = "name" | "below" | "pattern";

const scopes: [Scope, string][] = [
  ["name", "this name only"],
  ["below", "this name and all below"],
  ["pattern", "a pattern (regular expression)"],
];

const terms: [string, string][] = [
  ["", "always"],
  ["600", "for 10 minutes"],
  ["3600", "for 1 hour"],
  ["86400", "for 1 day"],
  ["604800", "for 1 week"],
];

const secondsOf = (term: string): number | null => (term === "" ? null : Number(term));

function Add() {
  const text = useSignal("");
  const comment = useSignal("");
  const scope = useSignal<Scope>("name");
  const term = useSignal("");
  const whom = useSignal<Whom>("");
  const busy = useSignal(false);

  const add = async (type: RuleType) => {
    const name = scope.value === "pattern" ? text.value.trim() : tidyName(text.value);
    if (name === "") {
      toast("Write a name first, for instance ads.example.com.", { bad: true });
      document.getElementById("rule-name")?.focus();
      return;
    }
    busy.value = true;
    const kind = scope.value === "name" ? "exact" : "regex";
    const domain = scope.value === "below" ? patternBelow(name) : name;
    const rule = {
      type,
      kind,
      domain,
      comment: comment.value.trim() || null,
      timer: secondsOf(term.value),
      ...fromWhom(whom.value),
    } as const;
    if (await addRule(rule)) text.value = comment.value = "";
    busy.value = false;
  };

  const choices = whoms(features.value.has("client_rules"));
  const checkOnly = () => {
    const name = tidyName(text.value);
    if (name !== "") openWhy({ domain: name });
  };

  return (
    <form class="add" onSubmit={(e) => e.preventDefault()} aria-label="Add a rule">
      <Field id="rule-name" label="Name or pattern" of={text} inputMode="url" maxLength={1000} placeholder="name.example.com" />
      <Choice label="What the rule covers" value={scope.value} from={scopes} set={(v) => void (scope.value = v)} />
      {features.value.has("timed_rules") && (
        <Choice label="How long it holds" value={term.value} from={terms} set={(v) => void (term.value = v)} />
      )}
      {choices.length > 1 && <Choice label="For whom" value={whom.value} from={choices} set={(v) => void (whom.value = v)} />}
      <Field id="rule-comment" label="Comment" of={comment} maxLength={200} placeholder="Comment, if you like" />
      <div class="buttons">
        <button type="button" disabled={busy.value} onClick={() => void add("allow")}>
          Allow
        </button>
        <button type="button" disabled={busy.value} onClick={() => void add("deny")}>
          Block
        </button>
        <button type="button" class="quiet" onClick={checkOnly}>
          Only check
        </button>
      </div>
    </form>
  );
}

const edited = signal<Rule | null>(null);

function EditForm({ r }: { r: Rule }) {
  const comment = useSignal(r.comment ?? "");
  const term = useSignal(r.expires ? "keep" : "");
  const whom = useSignal(whomOf(r));
  const left = r.expires ? r.expires - now.value : 0;
  const choices: [string, string][] = r.expires ? [["keep", `for another ${duration(left)}`], ...terms] : terms;
  const groupsThere = whoms(false);
  const save = async (e: Event) => {
    e.preventDefault();
    const of = r.client ? {} : { groups: fromWhom(whom.value).groups };
    const timer = term.value === "keep" ? {} : { timer: secondsOf(term.value) };
    if (await changeRule(r, { comment: comment.value.trim() || null, ...timer, ...of })) edited.value = null;
  };
  return (
    <form class="stack" onSubmit={(e) => void save(e)}>
      <p class="muted">
        {r.type === "allow" ? "Allows" : "Blocks"} {coverWords(r)}.
      </p>
      <Field id="edit-comment" label="Comment" shown of={comment} maxLength={200} />
      {features.value.has("timed_rules") && (
        <Choice label="Holds" shown value={term.value} from={choices} set={(v) => void (term.value = v)} />
      )}
      {!r.client && groupsThere.length > 1 && (
        <Choice label="For" shown value={whom.value} from={groupsThere} set={(v) => void (whom.value = v)} />
      )}
      <SaveOr cancel={() => void (edited.value = null)} />
    </form>
  );
}

function Edit() {
  const r = edited.value;
  return (
    <Modal
      open={r !== null}
      close={() => void (edited.value = null)}
      class="centre"
      id="edit-rule-title"
      title={r && <Name text={ruleWords(r)} />}
    >
      {r && <EditForm r={r} />}
    </Modal>
  );
}

function coverWords(r: Rule): string {
  if (r.kind === "exact") return "this name";
  return nameBelow(r.domain) !== null ? "this name and all below" : "names that match the pattern";
}

function RuleRow({ r }: { r: Rule }) {
  const shown = r.unicode && r.unicode !== r.domain ? r.unicode : null;
  const left = r.expires ? r.expires - now.value : null;
  return (
    <tr role="row" class={r.enabled ? "" : "off"}>
      <td role="cell">
        <span class={"tag " + (r.type === "allow" ? "forwarded" : "blocked")}>{verb[r.type]}</span>
      </td>
      <td role="cell" class="what">
        <Name text={ruleWords(r)} />
        {shown && (
          <small class="muted">
            {" "}
            <Name text={shown} />
          </small>
        )}
        {r.comment && (
          <small class="muted block">
            <Name text={r.comment} />
          </small>
        )}
      </td>
      <td role="cell" class="muted">
        {coverWords(r)}
        {whomOf(r) !== "" && (
          <small class="block">
            for <Name text={r.client ? deviceName(r.client) : groupWords(r.groups)} />
          </small>
        )}
        {left !== null && <small class="block">{left > 0 ? `${duration(left)} left` : "ends now"}</small>}
        {r.enabled && r.active === false && <small class="warn block">kept, but not in force</small>}
      </td>
      <td role="cell" class="muted since">
        since {dateOf(r.date_added)}
      </td>
      <td role="cell" class="buttons">
        <Switch label="Rule is on" on={r.enabled} set={(on) => void changeRule(r, { enabled: on })} />
        <button type="button" class="quiet" onClick={() => void (edited.value = r)}>
          Edit
        </button>
        <button type="button" class="quiet" onClick={() => void removeRule(r)}>
          Remove
        </button>
      </td>
    </tr>
  );
}

export function Own() {
  return (
    <>
      <p class="note">They stand above all lists; allowing beats blocking.</p>
      <Add />
      <Loaded
        of={rules}
        lines={3}
        empty={(v) => v.length === 0 && <p>None yet. Allow or block a name here, or from any row of the log.</p>}
      >
        {(v) => (
          <Rows name="Your own rules" heads={["Does", "Name", "Covers", "Since", "Change"]}>
            {[...v]
              .sort((a, b) => b.date_added - a.date_added)
              .map((r) => (
                <RuleRow key={r.id} r={r} />
              ))}
          </Rows>
        )}
      </Loaded>
      {features.value.has("owner") && <OwnFile />}
      <Edit />
      <Addresses />
    </>
  );
}
