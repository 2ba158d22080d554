// How the page stays true: an events stream, or polling where there is none; nothing while the page is hidden.
import { batch, signal } from "@preact/signals";
import { headers } from "./api.ts";
import { SseParser } from "./sse.ts";
import {
  access,
  addresses,
  brushed,
  checkSession,
  clients,
  features,
  groups,
  lists,
  live,
  loadAll,
  loadBlocking,
  loadSlow,
  loadTops,
  localRecords,
  noteBlocking,
  now,
  offlineSince,
  policy,
  resumesAt,
  rules,
  services,
  settings,
  status,
  suggestions,
  summary,
} from "./state.ts";
import type { Query, Totals } from "./types.ts";

/** Called at each poll where there is no stream; the log adds itself. */
const pollers = new Set<() => void>();
export function onPoll(f: () => void): () => void {
  pollers.add(f);
  return () => pollers.delete(f);
}

// Rows that the stream brings; the log subscribes.
type RowListener = (rows: Query[], skipped: number) => void;
const rowListeners = new Set<RowListener>();
export function onRows(f: RowListener): () => void {
  rowListeners.add(f);
  return () => rowListeners.delete(f);
}

/** True while the events stream is open: then rows and totals come by themselves. */
export const streaming = signal(false);

interface StreamData extends Partial<Totals> {
  queries?: Query[];
  skipped?: number;
  what?: string;
}

function take(event: string, data: string): void {
  let v: StreamData | null;
  try {
    v = JSON.parse(data) as StreamData | null;
  } catch {
    return;
  }
  if (v === null || typeof v !== "object") return;
  if (event === "totals" && typeof v.total === "number") {
    live.value = v as Totals;
    noteBlocking(v as Totals);
  } else if (event === "queries" && Array.isArray(v.queries)) {
    for (const f of rowListeners) f(v.queries, v.skipped ?? 0);
  } else if (event === "change" && typeof v.what === "string") {
    changed(v.what);
  }
}

function changed(what: string): void {
  if (what === "lists") {
    void lists.load();
    void status.load();
    void summary.load();
  } else if (what === "domains") {
    void rules.load();
    if (addresses.data.value !== null) void addresses.load();
  } else if (what === "settings") {
    // and all that is decided of devices, groups and names of the house
    for (const r of [settings, suggestions]) if (r.data.value !== null) void r.load();
    for (const r of [services, localRecords, groups, clients, policy]) void r.load();
    void loadSlow();
  } else if (what === "blocking") {
    void loadBlocking();
    void policy.load();
  } else {
    void loadSlow();
  }
}

const silenceMs = 40_000;

/** Reads the stream until it ends. Returns false when the server has none. */
async function readStream(stop: AbortSignal, again: boolean): Promise<boolean> {
  const own = new AbortController();
  const abort = () => own.abort();
  stop.addEventListener("abort", abort);
  let watchdog = setTimeout(abort, silenceMs);
  try {
    const r = await fetch("/api/sinkhole/events", {
      headers: { ...headers(), Accept: "text/event-stream" },
      credentials: "same-origin",
      cache: "no-store",
      signal: own.signal,
    });
    if (r.status === 401) access.value = "out";
    const kind = r.headers.get("Content-Type") ?? "";
    if (!r.ok || r.body === null || !kind.startsWith("text/event-stream")) {
      own.abort();
      return false;
    }
    streaming.value = true;
    offlineSince.value = 0;
    if (again) {
      // what came while we were away was not for us
      void loadAll();
      pollers.forEach((f) => f());
    }
    const reader = r.body.getReader();
    const utf8 = new TextDecoder();
    const parser = new SseParser();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return true;
      clearTimeout(watchdog);
      watchdog = setTimeout(abort, silenceMs);
      const events = parser.push(utf8.decode(value, { stream: true }));
      batch(() => events.forEach((e) => take(e.event, e.data)));
    }
  } catch {
    return true; // cut off or silent: try again
  } finally {
    clearTimeout(watchdog);
    stop.removeEventListener("abort", abort);
    streaming.value = false;
  }
}

const sleep = (ms: number, stop: AbortSignal): Promise<void> =>
  new Promise((done) => {
    const t = setTimeout(done, ms);
    stop.addEventListener("abort", () => {
      clearTimeout(t);
      done();
    });
  });

async function keepStream(stop: AbortSignal): Promise<void> {
  let had = false;
  for (let wait = 1000; !stop.aborted; wait = Math.min(wait * 2, 30_000)) {
    const began = Date.now();
    const has = await readStream(stop, had);
    had ||= has;
    if (Date.now() - began > 30_000) wait = 1000;
    if (!has) live.value = null;
    await sleep(has ? wait : 300_000, stop);
  }
}

async function poll(stop: AbortSignal): Promise<void> {
  for (let turn = 1; !stop.aborted; turn++) {
    await sleep(5000, stop);
    if (stop.aborted) return;
    const slow = turn % 6 === 0;
    if (slow) await loadSlow();
    if (!streaming.value) {
      live.value = null;
      await Promise.all([slow ? null : summary.load(), loadBlocking()]);
      pollers.forEach((f) => f());
    }
    if (turn % 12 === 0) await lists.load();
    if (turn % 60 === 0) await rules.load();
  }
}

let running: AbortController | null = null;

function start(): void {
  if (running !== null || document.hidden || access.value !== "in") return;
  running = new AbortController();
  void loadAll();
  pollers.forEach((f) => f());
  void keepStream(running.signal);
  void poll(running.signal);
}

function halt(): void {
  running?.abort();
  running = null;
}

/** Looks who we are, then follows the server for as long as the page is seen and we are logged in. */
export async function begin(): Promise<void> {
  setInterval(() => {
    now.value = Date.now() / 1000;
    const at = resumesAt.value;
    if (at !== null && at <= now.value) {
      resumesAt.value = null;
      void loadBlocking();
    }
  }, 1000);
  document.addEventListener("visibilitychange", () => (document.hidden ? halt() : start()));
  access.subscribe((a) => (a === "in" ? start() : halt()));
  brushed.subscribe(() => {
    if (access.peek() === "in" && features.peek().has("ranges")) void loadTops();
  });
  await checkSession();
}
