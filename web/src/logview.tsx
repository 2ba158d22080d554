// The query log: filtered, newest first, older rows on demand, each row a door to "why".
import type { VNode } from "preact";
import { useEffect } from "preact/hooks";
import { download, follows, toCsv, toJsonLines } from "./export.ts";
import { apiParams, isFiltered, noFilter, serverCan, type Filter } from "./filter.ts";
import { streaming } from "./follow.ts";
import { between, count, dayOf, latency, timeExact } from "./format.ts";
import {
  complete,
  exportMax,
  failure,
  filter,
  follow,
  following,
  holding,
  limit,
  load,
  loading,
  lookedThrough,
  older,
  pageLength,
  release,
  rows,
  search,
  setFilter,
  waiting,
} from "./log.ts";
import { Filters } from "./logfilters.tsx";
import { outcomeDetail, outcomeOf, outcomeWord } from "./outcome.ts";
import { Name, Panel, Skeleton, toast } from "./parts.tsx";
import { features, lists, now } from "./state.ts";
import type { Query } from "./types.ts";
import { openWhy } from "./why.tsx";

const rendered = new WeakMap<Query, VNode>();

function listName(id: number | null): string | null {
  const l = id === null ? undefined : lists.data.peek()?.find((x) => x.id === id);
  return l ? l.name || l.address : null;
}

function answerWords(q: Query): string {
  const type = q.reply.type === null || q.reply.type === "UNKNOWN" ? "" : q.reply.type;
  const time = q.reply.time > 0 ? latency(q.reply.time) : "";
  return [type, time].filter((s) => s !== "").join(" · ");
}

/** A cell that sets the filter to what it says. Not in the order of Tab: the filters above do the same. */
function Only({ what, text, set }: { what: string; text: string; set: Partial<Filter> }) {
  return (
    <button
      type="button"
      class="link"
      tabIndex={-1}
      title={`Only this ${what}`}
      onClick={(e) => {
        e.stopPropagation();
        setFilter(set);
      }}
    >
      <Name text={text} />
    </button>
  );
}

/** One row. The same query gives the same node, so a thousand rows cost nothing when one comes in. */
function row(q: Query): VNode {
  const known = rendered.get(q);
  if (known) return known;
  const outcome = outcomeOf(q);
  const list = listName(q.list_id);
  const made = (
    <tr key={q.id} role="row" class={outcome} onClick={() => openWhy({ domain: q.domain, query: q })}>
      <td role="cell" class="time">
        <time dateTime={new Date(q.time * 1000).toISOString()}>{timeExact(q.time)}</time>
      </td>
      <td role="cell" class="what">
        <button
          type="button"
          class="link"
          aria-haspopup="dialog"
          onClick={(e) => {
            e.stopPropagation();
            openWhy({ domain: q.domain, query: q });
          }}
        >
          <Name text={q.domain} />
        </button>
      </td>
      <td role="cell" class="outcome">
        <span class={"tag " + outcome}>{outcomeWord[outcome]}</span>
        {(list !== null || outcome === "blocked" || outcome === "other") && (
          <small class="muted">
            {list !== null ? (
              <>
                by <Name text={list} />
              </>
            ) : (
              outcomeDetail(q)
            )}
          </small>
        )}
      </td>
      <td role="cell" class="type">
        <Only what="type" text={q.type} set={{ type: q.type }} />
      </td>
      <td role="cell" class="client">
        <Only what="device" text={q.client.name || q.client.ip} set={{ client: q.client.ip }} />
      </td>
      <td role="cell" class="answer">
        <Name text={answerWords(q)} />
      </td>
    </tr>
  );
  rendered.set(q, made);
  return made;
}

/** Rows with a line where the day changes. */
function rowsByDay(all: Query[]): VNode[] {
  const out: VNode[] = [];
  let day = dayOf(now.peek());
  for (const q of all) {
    const d = dayOf(q.time);
    if (d !== day)
      out.push(
        <tr key={"day" + d} role="row" class="day">
          <th role="rowheader" scope="rowgroup" colSpan={6}>
            {d}
          </th>
        </tr>,
      );
    day = d;
    out.push(row(q));
  }
  return out;
}

/** By the server where it can, with all that it has; else what the search finds, up to a bound. */
async function save(kind: "csv" | "jsonl"): Promise<void> {
  if (features.value.has("export") && serverCan(filter.value)) {
    const p = apiParams(filter.value);
    p.set("format", kind);
    follows(`/api/sinkhole/queries/export?${p.toString()}`);
    return;
  }
  try {
    const found = await search(filter.value, null, exportMax, exportMax / pageLength);
    const text = kind === "csv" ? toCsv(found.rows) : toJsonLines(found.rows);
    download(`queries.${kind}`, kind === "csv" ? "text/csv" : "application/jsonl", text);
    toast(
      found.next === null
        ? `Saved ${count(found.rows.length)} queries.`
        : `Saved the newest ${count(found.rows.length)} of those that match; there are older ones.`,
    );
  } catch (e) {
    toast(`Not saved: ${(e as Error).message}`, { bad: true });
  }
}

function LiveButton() {
  const held = waiting.value.length;
  const words = !following.value ? (held > 0 ? `Paused · ${count(held)} new` : "Paused") : streaming.value ? "Live" : "Every 5 s";
  return (
    <button
      type="button"
      class={"live" + (following.value ? " on" : "")}
      aria-pressed={following.value}
      aria-keyshortcuts="l"
      title={following.value ? "Stop the log from moving (l)" : "Follow new queries (l)"}
      onClick={() => follow(!following.value)}
    >
      <span class="lamp" aria-hidden="true" />
      {words}
    </button>
  );
}

function Foot() {
  const shown = rows.value.slice(0, limit.value);
  const n = shown.length;
  const f = filter.value;
  const last = shown[n - 1];
  const all = complete.value && n === rows.value.length;
  return (
    <footer class="log-foot">
      <p class="muted" role="status">
        {n > 0 && (
          <>
            {count(n)} {isFiltered(f) ? "matching " : ""}
            {n === 1 ? "query" : "queries"}
            {last && <>, back to {between(last.time, last.time + 1, now.peek()).split(" to ")[0]}</>}
          </>
        )}
        {all ? "; there are no older ones." : "."}
      </p>
      <div class="buttons">
        {!all && (
          <button type="button" disabled={loading.value} onClick={() => void older()}>
            {loading.value ? "Looking…" : "Show older"}
          </button>
        )}
        <button type="button" class="quiet" onClick={() => void save("csv")}>
          Save as CSV
        </button>
        <button type="button" class="quiet" onClick={() => void save("jsonl")}>
          Save as JSON lines
        </button>
      </div>
    </footer>
  );
}

function Nothing() {
  if (failure.value !== null && failure.value.kind !== "auth") {
    return (
      <div class="state">
        <p>
          {failure.value.kind === "absent"
            ? "This server keeps no query log."
            : `The log could not be read: ${failure.value.message}.`}
        </p>
        <button type="button" onClick={() => void load()}>
          Try again
        </button>
      </div>
    );
  }
  if (isFiltered(filter.value)) {
    return (
      <div class="state">
        <p>{complete.value ? "No query matches." : `None of the last ${count(lookedThrough.value)} queries matches.`}</p>
        {!complete.value && (
          <button type="button" onClick={() => void older()}>
            Look further back
          </button>
        )}
        <button type="button" onClick={() => void (filter.value = noFilter)}>
          Clear the filter
        </button>
      </div>
    );
  }
  return (
    <div class="state">
      <p>No queries yet. To see one, ask from any device that uses this machine for DNS.</p>
    </div>
  );
}

/** Arrow keys step through the rows. */
function stepRows(e: KeyboardEvent & { currentTarget: HTMLElement }): void {
  const step = e.key === "ArrowDown" ? 1 : e.key === "ArrowUp" ? -1 : 0;
  if (step === 0) return;
  const all = [...e.currentTarget.querySelectorAll<HTMLButtonElement>("td.what button")];
  const at = all.indexOf(document.activeElement as HTMLButtonElement);
  const to = at < 0 ? undefined : all[at + step];
  if (to) {
    e.preventDefault();
    to.focus();
  }
}

export function Log() {
  const n = rows.value.length;
  useEffect(() => {
    // Names of lists may come after the first rows.
    return lists.data.subscribe(() => {
      for (const q of rows.peek()) if (q.list_id !== null) rendered.delete(q);
      if (rows.peek().length > 0) rows.value = [...rows.peek()];
    });
  }, []);
  const held = holding.value && following.value ? waiting.value.length : 0;
  return (
    <Panel
      id="log"
      title="Queries"
      note={held > 0 ? `${count(held)} new, shown when the pointer leaves the list` : "Newest first"}
      aside={<LiveButton />}
    >
      <Filters />
      {loading.value && n === 0 ? (
        <Skeleton lines={10} />
      ) : n === 0 ? (
        <Nothing />
      ) : (
        <>
          <table
            class="log"
            role="table"
            aria-busy={loading.value}
            onKeyDown={stepRows}
            onPointerEnter={(e) => {
              if (e.pointerType === "mouse") holding.value = true;
            }}
            onPointerLeave={release}
          >
            <caption class="hidden">Queries, newest first. A name opens why it was answered so.</caption>
            <thead role="rowgroup">
              <tr role="row">
                {["Time", "Name", "Outcome", "Type", "Device", "Answer"].map((h) => (
                  <th key={h} role="columnheader" scope="col">
                    {h}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody role="rowgroup">{rowsByDay(rows.value.slice(0, limit.value))}</tbody>
          </table>
          <Foot />
        </>
      )}
    </Panel>
  );
}
