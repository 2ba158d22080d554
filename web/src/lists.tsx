// The lists' report card: what each brings, what it alone brings, how old it is, what went wrong.
import { useSignal } from "@preact/signals";
import { ApiError, call, headers } from "./api.ts";
import { ago, count, percent } from "./format.ts";
import { act, Choice, Field, Switch } from "./form.tsx";
import { Loaded, Name, Panel, Rows, toast } from "./parts.tsx";
import { HeldDialog, lookAtHeld } from "./held.tsx";
import { changeList, everybody, listPath } from "./policy.ts";
import { PreviewDialog, tryList } from "./preview.tsx";
import { features, lists, now, status, summary } from "./state.ts";
import { rangeNote } from "./totals.tsx";
import type { List, Processed } from "./types.ts";

/** How the last refresh went (the contract's status numbers). */
function health(l: List): { tone: "good" | "warn" | "bad" | "off"; word: string } {
  if (!l.enabled) return { tone: "off", word: "switched off" };
  if (l.fetching) return { tone: "off", word: "fetching" };
  if (l.needs_confirm) return { tone: "warn", word: "waits for you" };
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

function reload(): void {
  void lists.load();
  void status.load();
  void summary.load();
}

const change = (what: () => Promise<unknown>, done: string, undo?: () => void): Promise<boolean> =>
  act(what, { done, undo, after: reload });

type NewList = Pick<List, "address" | "type"> & Partial<Pick<List, "comment" | "groups">>;

function addList(l: NewList): Promise<boolean> {
  const ask = async () => {
    const r = await call<{ processed?: Processed | null }>("POST", `lists?type=${l.type}`, {
      address: l.address,
      comment: l.comment ?? null,
      groups: l.groups ?? [everybody],
      enabled: true,
    });
    const bad = r.processed?.errors[0];
    if (bad !== undefined) throw new ApiError("refused", bad.error);
  };
  return change(ask, `List added: ${l.address}`, () => void removeList(l));
}

const removeList = (l: NewList): Promise<boolean> =>
  change(
    () => call("DELETE", listPath(l)),
    `List removed: ${l.address}`,
    () => void addList(l),
  );

const switchList = (l: List, enabled: boolean): Promise<boolean> =>
  change(() => changeList(l, { enabled }), enabled ? "List switched on." : "List switched off.");

const kinds: [List["type"], string][] = [
  ["block", "blocks"],
  ["allow", "allows"],
];

function Add() {
  const text = useSignal("");
  const type = useSignal<List["type"]>("block");
  const busy = useSignal(false);
  const add = async () => {
    busy.value = true;
    if (await addList({ address: text.value.trim(), type: type.value })) text.value = "";
    busy.value = false;
  };
  const tries = features.value.has("preview") && type.value === "block";
  const submit = (e: SubmitEvent) => {
    e.preventDefault();
    const preview = (e.submitter as HTMLButtonElement | null)?.name === "preview";
    void (preview ? tryList(text.value.trim(), () => void add()) : add());
  };
  return (
    <form class="add" aria-label="Add a list" onSubmit={submit}>
      <Field
        id="list-address"
        label="Address of the list"
        of={text}
        inputMode="url"
        maxLength={1000}
        required
        placeholder="https://… of a list, any usual format"
      />
      <Choice label="What the list does" value={type.value} from={kinds} set={(v) => void (type.value = v)} />
      {tries && (
        <button type="submit" name="preview">
          Try it first
        </button>
      )}
      <button type="submit" disabled={busy.value}>
        Add list
      </button>
    </form>
  );
}

/** What a list did, a column each; one that no list has a value for is left out. */
const columns: { head: string; title: string; value: (l: List) => string | null }[] = [
  { head: "Blocked", title: "Queries that it decided", value: (l) => (l.hits === undefined ? null : count(l.hits)) },
  {
    head: "Only by this list",
    title: "Queries that no other list would have blocked",
    value: (l) => (typeof l.unique_hits === "number" ? count(l.unique_hits) : null),
  },
  {
    head: "Also on others",
    title: "Part of its rules that other lists have too",
    value: (l) => (typeof l.unique === "number" && l.number > 0 ? percent(l.number - l.unique, l.number) : null),
  },
];

/** Lines that are no rule: how many, and some of them to look at. */
function Unused({ l }: { l: List }) {
  if (l.invalid_domains === 0) return null;
  const words = `${count(l.invalid_domains)} ${l.invalid_domains === 1 ? "line" : "lines"} not used`;
  if (!l.examples?.length) return <small class="muted block">{words}</small>;
  return (
    <details class="small">
      <summary>{words}</summary>
      <ul class="examples">
        {l.examples.map((e, i) => (
          <li key={i}>
            <code>
              <Name text={e} />
            </code>
          </li>
        ))}
      </ul>
    </details>
  );
}

/** An update that looks wrong is not taken unasked. */
function Confirm({ l }: { l: List }) {
  if (!l.needs_confirm) return null;
  return (
    <p class="warn small">
      An update looks wrong and is held back; the old content stays.{" "}
      <button type="button" onClick={() => void lookAtHeld(l)}>
        Look at it
      </button>
    </p>
  );
}

function Change({ l }: { l: List }) {
  return (
    <td role="cell" class="buttons">
      <Switch label="List is on" on={l.enabled} set={(on) => void switchList(l, on)} />
      {!l.configured && (
        <button type="button" class="quiet" onClick={() => void removeList(l)}>
          Remove
        </button>
      )}
    </td>
  );
}

function Card({ l, shown, edit }: { l: List; shown: typeof columns; edit: boolean }) {
  const h = health(l);
  return (
    <tr role="row" class={l.enabled ? "" : "off"}>
      <th role="rowheader" scope="row" class="what">
        <Name text={l.name || hostOf(l.address)} />
        {l.type === "allow" && <span class="tag forwarded">allows</span>}
        <small class="muted block">
          <Name text={l.address} />
        </small>
        {l.comment && (
          <small class="muted block">
            <Name text={l.comment} />
          </small>
        )}
        {l.error && (
          <small class="bad block">
            <Name text={l.error} />
          </small>
        )}
        {edit && <Confirm l={l} />}
      </th>
      <td role="cell" data-label="Rules">
        {count(l.number)}
        <Unused l={l} />
      </td>
      {shown.map((c) => (
        <td key={c.head} role="cell" data-label={c.head}>
          {c.value(l) ?? "–"}
        </td>
      ))}
      <td role="cell" data-label="State">
        <span class={"health " + h.tone}>
          <i aria-hidden="true" />
          {h.word}
        </span>
        <small class="muted block">{l.date_updated > 0 ? ago(l.date_updated, now.value) : "never updated"}</small>
      </td>
      {edit && <Change l={l} />}
    </tr>
  );
}

function Update() {
  const busy = useSignal(false);
  if (!features.value.has("update")) return null;
  const run = async () => {
    busy.value = true;
    await act(async () => toast(await fetchUpdate()), { failed: "Lists were not updated", after: reload });
    busy.value = false;
  };
  const updating = busy.value || status.data.value?.lists?.updating === true;
  return (
    <button type="button" disabled={updating} onClick={() => void run()}>
      {updating ? "Updating…" : "Update now"}
    </button>
  );
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
    <Panel id="lists" title="Lists" note={`What each one did ${rangeNote()}`} aside={<Update />}>
      <Loaded
        of={lists}
        lines={4}
        empty={(v) =>
          v.length === 0 && (
            <p>
              No list is set, so nothing is blocked but your own rules.{" "}
              {features.value.has("lists") ? "Add one below" : "Give one"}, or in the configuration: <code>list = URL</code>.
            </p>
          )
        }
      >
        {(v) => {
          const shown = columns.filter((c) => v.some((l) => c.value(l) !== null));
          const edit = features.value.has("lists");
          return (
            <Rows
              name="Lists"
              class="lists"
              heads={[
                "List",
                "Rules",
                ...shown.map((c): [string, string] => [c.head, c.title]),
                "State",
                ...(edit ? ["Change"] : []),
              ]}
            >
              {v.map((l) => (
                <Card key={l.id} l={l} shown={shown} edit={edit} />
              ))}
            </Rows>
          );
        }}
      </Loaded>
      {features.value.has("lists") && <Add />}
      <PreviewDialog />
      <HeldDialog />
    </Panel>
  );
}
