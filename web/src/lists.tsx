// The lists' report card: what each brings, what it alone brings, how old it is, what went wrong.
import { useSignal } from "@preact/signals";
import { ApiError, headers } from "./api.ts";
import { ago, count, percent } from "./format.ts";
import { Loaded, Name, Panel, toast } from "./parts.tsx";
import { features, lists, now, status, summary } from "./state.ts";
import { windowNote } from "./totals.tsx";
import type { List } from "./types.ts";

/** How the last refresh went (the contract's status numbers). */
function health(l: List): { tone: "good" | "warn" | "bad" | "off"; word: string } {
  if (!l.enabled) return { tone: "off", word: "switched off" };
  if (l.status === 4) return { tone: "bad", word: "not loaded" };
  if (l.status === 3) return { tone: "warn", word: "last good copy in use" };
  if (l.status === 1 || l.status === 2) return { tone: "good", word: "up to date" };
  return { tone: "off", word: "not read yet" };
}

function hostOf(address: string): string {
  try {
    return new URL(address).host || address;
  } catch {
    return address;
  }
}

function Card({ l, hits }: { l: List; hits: boolean }) {
  const h = health(l);
  return (
    <tr role="row" class={l.enabled ? "" : "off"}>
      <th role="rowheader" scope="row" class="what">
        <Name text={l.name || hostOf(l.address)} />
        {l.type === "allow" && <span class="tag forwarded">allows</span>}
        <small class="muted block"><Name text={l.address} /></small>
        {l.error && <small class="bad block"><Name text={l.error} /></small>}
      </th>
      <td role="cell" data-label="Rules">{count(l.number)}{l.invalid_domains > 0 && <small class="muted block">{count(l.invalid_domains)} lines not used</small>}</td>
      {hits && <td role="cell" data-label="Blocked">{l.hits === undefined ? "–" : count(l.hits)}</td>}
      {hits && <td role="cell" data-label="Only by this list">{l.unique_hits === undefined ? "–" : count(l.unique_hits)}</td>}
      {hits && <td role="cell" data-label="Also on others">{l.unique === undefined || l.number === 0 ? "–" : percent(l.number - l.unique, l.number)}</td>}
      <td role="cell" data-label="State">
        <span class={"health " + h.tone}><i aria-hidden="true" />{h.word}</span>
        <small class="muted block">{l.date_updated > 0 ? ago(l.date_updated, now.value) : "never updated"}</small>
      </td>
    </tr>
  );
}

function Update() {
  const busy = useSignal(false);
  if (!features.value.has("update")) return null;
  const run = async () => {
    busy.value = true;
    try {
      const r = await fetchUpdate();
      toast(r);
    } catch (e) {
      toast(`Lists were not updated: ${(e as Error).message}`, { bad: true });
    }
    busy.value = false;
    void lists.load();
    void status.load();
    void summary.load();
  };
  const updating = busy.value || status.data.value?.lists?.updating === true;
  return <button type="button" disabled={updating} onClick={() => void run()}>{updating ? "Updating…" : "Update now"}</button>;
}

/** The answer is a log in plain text that comes in pieces while the work goes on; its end is the end of the work. */
async function fetchUpdate(): Promise<string> {
  const r = await fetch("/api/action/gravity", { method: "POST", headers: headers(), credentials: "same-origin" });
  const text = await r.text();
  if (!r.ok) throw new ApiError("refused", `the server answered ${r.status}`, r.status);
  const last = text.trim().split("\n").pop();
  return last ? `Lists updated. ${last}` : "Lists updated.";
}

export function Lists() {
  if (lists.absent.value) return null;
  return (
    <Panel id="lists" title="Lists" note={`What each one did ${windowNote()}`} aside={<Update />}>
      <Loaded of={lists} lines={4} empty={(v) => v.length === 0 && (
        <p>No list is set, so nothing is blocked but your own rules. Start with <code>--list URL</code>, or put <code>list = URL</code> into the configuration.</p>
      )}>
        {(v) => {
          const hits = v.some((l) => l.hits !== undefined);
          return (
            <table class="rows lists" role="table">
              <caption class="hidden">Lists</caption>
              <thead role="rowgroup">
                <tr role="row">
                  <th role="columnheader" scope="col">List</th>
                  <th role="columnheader" scope="col">Rules</th>
                  {hits && <th role="columnheader" scope="col" title="Queries that it decided">Blocked</th>}
                  {hits && <th role="columnheader" scope="col" title="Queries that no other list would have blocked">Only by this list</th>}
                  {hits && <th role="columnheader" scope="col" title="Part of its rules that other lists have too">Also on others</th>}
                  <th role="columnheader" scope="col">State</th>
                </tr>
              </thead>
              <tbody role="rowgroup">{v.map((l) => <Card key={l.id} l={l} hits={hits} />)}</tbody>
            </table>
          );
        }}
      </Loaded>
    </Panel>
  );
}
