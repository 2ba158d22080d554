// The query log's rows: searched through the server's pages, followed live, held while they must not move.
import { batch, computed, effect, signal } from "@preact/signals";
import { ApiError, get } from "./api.ts";
import { apiParams, fromSearch, matches, parseText, toSearch, type Filter } from "./filter.ts";
import { toast } from "./parts.tsx";
import { onPoll, onRows } from "./follow.ts";
import { access, brushed, heard } from "./state.ts";
import type { Query, QueryPage } from "./types.ts";

export const pageLength = 100; // rows asked for at once
const enough = 30; // matching rows that end a search through pages
const pagesMax = 20; // pages looked through in one go
const liveMax = 400; // rows kept while new ones come in
const liveKeep = 200;
const shownAtFirst = 25; // rows on the page before "Show older"
const shownMore = 50;
export const exportMax = 10_000; // rows in a file

export const filter = signal<Filter>(fromSearch(location.search));
const words = computed(() => parseText(filter.value.text));

export const rows = signal<Query[]>([]);
export const loading = signal(true);
export const failure = signal<ApiError | null>(null);
export const complete = signal(false); // no older rows match
export const lookedThrough = signal(0); // rows seen in the last search, matching or not
export const limit = signal(shownAtFirst);
export const following = signal(true); // new rows appear by themselves
export const holding = signal(false); // … but not under the pointer
export const waiting = signal<Query[]>([]); // rows that came meanwhile
let missed = false; // and some that we were not sent

export function setFilter(part: Partial<Filter>, show = false): void {
  filter.value = { ...filter.value, ...part };
  if (show) document.getElementById("log")?.scrollIntoView({ behavior: "smooth" });
}

async function fetchPage(f: Filter, cursor: number | null): Promise<QueryPage> {
  const p = apiParams(f);
  p.set("length", String(pageLength));
  if (cursor !== null) p.set("cursor", String(cursor));
  return heard(get<QueryPage>("queries?" + p.toString()));
}

interface Found {
  rows: Query[];
  looked: number;
  next: number | null; // cursor for what is older; null: nothing is
}

/** Looks through pages until there are rows to show or the limits are met. */
export async function search(f: Filter, cursor: number | null, want: number, pages: number): Promise<Found> {
  const w = parseText(f.text);
  const found: Found = { rows: [], looked: 0, next: cursor };
  for (let i = 0; i < pages && found.rows.length < want; i++) {
    const page = await fetchPage(f, found.next);
    const last = page.queries[page.queries.length - 1];
    found.looked += page.queries.length;
    found.rows.push(...page.queries.filter((q) => matches(q, f, w)));
    found.next = last ? last.id - 1 : null;
    if (page.queries.length < pageLength) found.next = null;
    if (found.next === null) break;
  }
  return found;
}

let next: number | null = null;
let turn = 0;

/** Starts anew at the newest row. quiet: keep showing the old ones until the new ones are there. */
export async function load(quiet = false): Promise<void> {
  const mine = ++turn;
  if (!quiet) loading.value = true;
  try {
    const found = await search(filter.value, null, enough, pagesMax);
    if (mine !== turn) return;
    next = found.next;
    missed = false;
    batch(() => {
      rows.value = found.rows;
      waiting.value = [];
      complete.value = found.next === null;
      lookedThrough.value = found.looked;
      failure.value = null;
      loading.value = false;
    });
  } catch (e) {
    if (mine !== turn) return;
    batch(() => {
      failure.value = e as ApiError;
      loading.value = false;
    });
  }
}

export async function older(): Promise<void> {
  limit.value += shownMore;
  if (rows.value.length >= limit.value || complete.value) {
    following.value = false;
    return;
  }
  const mine = ++turn;
  batch(() => {
    loading.value = true;
    following.value = false;
  });
  try {
    const found = await search(filter.value, next, enough, pagesMax);
    if (mine !== turn) return;
    next = found.next;
    batch(() => {
      rows.value = [...rows.value, ...found.rows];
      complete.value = found.next === null;
      lookedThrough.value += found.looked;
      failure.value = null;
    });
  } catch (e) {
    toast(`Older queries could not be read: ${(e as Error).message}`, { bad: true });
  } finally {
    if (mine === turn) loading.value = false;
  }
}

/** Puts newer rows before the others; a row that came before in another state is replaced. */
export function merged(old: Query[], fresh: Query[]): Query[] {
  const ids = new Set(fresh.map((q) => q.id));
  return [...fresh, ...old.filter((q) => !ids.has(q.id))].sort((a, b) => b.id - a.id);
}

function showRows(fresh: Query[]): void {
  let all = merged(rows.value, fresh);
  if (all.length > liveMax) {
    all = all.slice(0, liveKeep);
    next = all[all.length - 1]!.id - 1;
    complete.value = false;
  }
  rows.value = all;
}

function takeRows(fresh: Query[], skipped: number): void {
  const passing = fresh.filter((q) => matches(q, filter.value, words.value));
  if (skipped > 0) missed = true;
  if (passing.length === 0 && skipped === 0) return;
  if (!following.value || holding.value) {
    waiting.value = merged(waiting.value, passing).slice(0, liveMax);
  } else if (missed) {
    reloadSoon();
  } else {
    showRows(passing);
  }
}

let reloading = false;
function reloadSoon(): void {
  if (reloading) return;
  reloading = true;
  setTimeout(() => {
    reloading = false;
    if (following.value && !holding.value) void load(true);
  }, 2000);
}

export function release(): void {
  holding.value = false;
  if (!following.value) return;
  if (missed) {
    void load(true);
  } else if (waiting.value.length > 0) {
    batch(() => {
      showRows(waiting.value);
      waiting.value = [];
    });
  }
}

export function follow(on: boolean): void {
  following.value = on;
  if (!on) return;
  limit.value = shownAtFirst;
  void load(true);
}

/** Ties the log to the URL, the timeline's brush, the stream and the polls. Called once. */
export function startLog(): void {
  let first = true;
  let typing = 0;
  brushed.value = filter.value.from !== 0 ? { from: filter.value.from, until: filter.value.until } : null;
  effect(() => {
    const b = brushed.value;
    const f = filter.peek();
    if ((b?.from ?? 0) !== f.from || (b?.until ?? 0) !== f.until)
      filter.value = { ...f, from: b?.from ?? 0, until: b?.until ?? 0 };
  });
  effect(() => {
    const f = filter.value;
    const wanted = location.pathname + toSearch(f) + location.hash;
    if (wanted !== location.pathname + location.search + location.hash) window.history.replaceState(null, "", wanted);
    if ((brushed.peek()?.from ?? 0) !== f.from) brushed.value = f.from !== 0 ? { from: f.from, until: f.until } : null;
    limit.value = shownAtFirst;
    clearTimeout(typing);
    typing = window.setTimeout(
      () => {
        if (access.peek() === "in") void load();
      },
      first ? 0 : 200,
    );
    first = false;
  });
  window.addEventListener("popstate", () => void (filter.value = fromSearch(location.search)));
  onRows(takeRows);
  onPoll(() => {
    if (following.value && !holding.value) void load(rows.value.length > 0);
  });
}
