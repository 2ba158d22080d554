// A person's own rules, above all lists.
import { useSignal } from "@preact/signals";
import { dateOf, duration } from "./format.ts";
import { nameBelow, patternBelow, tidyName } from "./names.ts";
import { Loaded, Name, Panel, toast } from "./parts.tsx";
import { addRule, removeRule, switchRule, verb } from "./rules.ts";
import { now, rules } from "./state.ts";
import type { Rule, RuleType } from "./types.ts";
import { openWhy } from "./why.tsx";

type Scope = "name" | "below" | "pattern";

const scopes: [Scope, string][] = [
  ["name", "this name only"],
  ["below", "this name and all below"],
  ["pattern", "a pattern (regular expression)"],
];

function Add() {
  const text = useSignal("");
  const scope = useSignal<Scope>("name");
  const busy = useSignal(false);

  const add = async (type: RuleType) => {
    const name = scope.value === "pattern" ? text.value.trim() : tidyName(text.value);
    if (name === "") {
      toast("Write a name first, for instance ads.example.com.", { bad: true });
      document.getElementById("rule-name")?.focus();
      return;
    }
    busy.value = true;
    const exact = scope.value === "name";
    const domain = scope.value === "below" ? patternBelow(name) : name;
    if (await addRule({ type, kind: exact ? "exact" : "regex", domain })) text.value = "";
    busy.value = false;
  };

  return (
    <form class="add" onSubmit={(e) => e.preventDefault()} aria-label="Add a rule">
      <label class="hidden" for="rule-name">
        Name or pattern
      </label>
      <input
        id="rule-name"
        type="text"
        inputMode="url"
        autoComplete="off"
        autoCapitalize="none"
        spellcheck={false}
        maxLength={1000}
        placeholder="name.example.com"
        value={text.value}
        onInput={(e) => void (text.value = e.currentTarget.value)}
      />
      <label class="select">
        <span class="hidden">What the rule covers</span>
        <select value={scope.value} onChange={(e) => void (scope.value = e.currentTarget.value as Scope)}>
          {scopes.map(([s, words]) => (
            <option key={s} value={s}>
              {words}
            </option>
          ))}
        </select>
      </label>
      <button type="button" disabled={busy.value} onClick={() => void add("allow")}>
        Allow
      </button>
      <button type="button" disabled={busy.value} onClick={() => void add("deny")}>
        Block
      </button>
      <button
        type="button"
        class="quiet"
        onClick={() => {
          const name = tidyName(text.value);
          if (name !== "") openWhy({ domain: name });
        }}
      >
        Only check
      </button>
    </form>
  );
}

function RuleRow({ r }: { r: Rule }) {
  const shown = r.unicode && r.unicode !== r.domain ? r.unicode : null;
  const below = r.kind === "regex" ? nameBelow(r.domain) : null;
  const left = r.expires ? r.expires - now.value : null;
  return (
    <tr role="row" class={r.enabled ? "" : "off"}>
      <td role="cell">
        <span class={"tag " + (r.type === "allow" ? "forwarded" : "blocked")}>{verb[r.type]}</span>
      </td>
      <td role="cell" class="what">
        <Name text={below ?? r.domain} />
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
        {r.kind === "exact" ? "this name" : below !== null ? "and all below" : "pattern"}
        {r.client && (
          <small class="block">
            for <Name text={r.client} />
          </small>
        )}
        {left !== null && <small class="block">{left > 0 ? `${duration(left)} left` : "ends now"}</small>}
      </td>
      <td role="cell" class="muted since">
        since {dateOf(r.date_added)}
      </td>
      <td role="cell" class="buttons">
        <label class="switch">
          <input
            type="checkbox"
            role="switch"
            checked={r.enabled}
            onChange={(e) => void switchRule(r, e.currentTarget.checked)}
          />
          <span class="hidden">Rule is on</span>
        </label>
        <button type="button" class="quiet" onClick={() => void removeRule(r)}>
          Remove
        </button>
      </td>
    </tr>
  );
}

export function Own() {
  if (rules.absent.value) return null;
  return (
    <Panel id="rules" title="Your rules" note="They stand above all lists; allowing beats blocking">
      <Add />
      <Loaded
        of={rules}
        lines={3}
        empty={(v) => v.length === 0 && <p>None yet. Allow or block a name here, or from any row of the log.</p>}
      >
        {(v) => (
          <table class="rows" role="table">
            <caption class="hidden">Your own rules</caption>
            <thead class="hidden" role="rowgroup">
              <tr role="row">
                {["Does", "Name", "Covers", "Since", "Change"].map((h) => (
                  <th key={h} role="columnheader" scope="col">
                    {h}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody role="rowgroup">
              {[...v]
                .sort((a, b) => b.date_added - a.date_added)
                .map((r) => (
                  <RuleRow key={r.id} r={r} />
                ))}
            </tbody>
          </table>
        )}
      </Loaded>
    </Panel>
  );
}
