// What the page knows, and how it stays true: an events stream, or polling where there is none; nothing while the page is hidden.
import { batch, computed, signal, type Signal } from "@preact/signals";
import { ApiError, call, get, headers, session as askSession } from "./api.ts";
import { parseAlias, parseHost } from "./names.ts";
import { SseParser } from "./sse.ts";
import type {
  Blocking, List, LocalRecord, Query, Rule, Slot, Span, Status, Summary, TopClient, TopDomain, Totals, Upstream,
} from "./types.ts";

export type Access = "unknown" | "in" | "out";

export const access = signal<Access>("unknown");
export const wantsTotp = signal(false);
export const hasPassword = signal(true);

/** When the server was last heard, and since when it has not been: 0 while all is well. */
export const offlineSince = signal(0);

/** The wall clock, a step a second, for ages and countdowns. */
export const now = signal(Date.now() / 1000);

/** One thing that the server knows: what it last said, and what went wrong since. */
export interface Resource<T> {
  readonly data: Signal<T | null>;
  readonly error: Signal<ApiError | null>;
  readonly absent: Signal<boolean>;
  load(): Promise<void>;
}

function noteFailure(e: ApiError): void {
  if (e.kind === "auth") access.value = "out";
  if (e.kind === "offline" && offlineSince.value === 0) offlineSince.value = Date.now() / 1000;
}

/** Wraps a call so that the page's idea of being on line and logged in follows from it. */
export async function heard<T>(p: Promise<T>): Promise<T> {
  try {
    const v = await p;
    offlineSince.value = 0;
    return v;
  } catch (e) {
    const err = e instanceof ApiError ? e : new ApiError("refused", String(e));
    if (err.kind !== "offline") offlineSince.value = 0;
    noteFailure(err);
    throw err;
  }
}

function resource<T>(fetcher: () => Promise<T>): Resource<T> {
  const data = signal<T | null>(null);
  const error = signal<ApiError | null>(null);
  const absent = signal(false);
  let turn = 0;
  return {
    data, error, absent,
    async load() {
      const mine = ++turn;
      try {
        const v = await heard(fetcher());
        if (mine !== turn) return; // a later call has been made meanwhile
        batch(() => {
          data.value = v;
          error.value = null;
          absent.value = false;
        });
      } catch (e) {
        if (mine !== turn) return;
        batch(() => {
          error.value = e as ApiError;
          absent.value = (e as ApiError).kind === "absent";
        });
      }
    },
  };
}

export interface TimeSpan {
  from: number;
  until: number;
}

/** A span brushed on the timeline: the log, and where the server can the tops, show it alone. */
export const brushed = signal<TimeSpan | null>(null);
export const span = signal<Span>("24h");

export const status = resource(() => get<Status>("sinkhole/status"));
export const summary = resource(() => get<Summary>("stats/summary"));
export const blocking = resource(() => get<Blocking>("dns/blocking"));
export const lists = resource(async () => (await get<{ lists: List[] }>("lists")).lists);
export const rules = resource(async () => (await get<{ domains: Rule[] }>("domains")).domains);

interface DnsConfig<K extends string> {
  config: { dns: Record<K, string[]> };
}

/** Own records; items that are not in the form that we know are shown as they are. */
export const localRecords = resource(async (): Promise<LocalRecord[]> => {
  const hosts = (await get<DnsConfig<"hosts">>("config/dns/hosts")).config.dns.hosts;
  const aliases = (await get<DnsConfig<"cnameRecords">>("config/dns/cnameRecords")).config.dns.cnameRecords;
  return [...hosts.map(parseHost), ...aliases.map(parseAlias)];
});

export const features = computed(() => new Set(status.data.value?.features ?? []));

function ranged(path: string): string {
  const b = brushed.value;
  return b !== null && features.value.has("ranges") ? `${path}&from=${b.from}&until=${b.until}` : path;
}

const topCount = 10;
export const topBlocked = resource(async () =>
  (await get<{ domains: TopDomain[] }>(ranged(`stats/top_domains?blocked=true&count=${topCount}`))).domains);
export const topAllowed = resource(async () =>
  (await get<{ domains: TopDomain[] }>(ranged(`stats/top_domains?blocked=false&count=${topCount}`))).domains);
export const topClients = resource(async () =>
  (await get<{ clients: TopClient[] }>(ranged(`stats/top_clients?count=${topCount}`))).clients);
export const upstreams = resource(async () =>
  (await get<{ upstreams: Upstream[] }>(ranged("stats/upstreams?"))).upstreams);

/** The span that the shown tops cover; null: the whole window of the summary. */
export const topsRange = computed(() => (features.value.has("ranges") ? brushed.value : null));

export interface History {
  slots: Slot[];
  slotS: number;
}

export const history = resource<History>(async () => {
  const spans = status.data.value?.spans ?? [];
  if (spans.length > 1) {
    const h = await get<{ slot_s: number; history: Slot[] }>(`sinkhole/history?span=${span.value}`);
    return { slots: h.history, slotS: h.slot_s };
  }
  return { slots: (await get<{ history: Slot[] }>("history")).history, slotS: 600 };
});

/** The last totals of the stream, newer than the summary. */
export const live = signal<Totals | null>(null);

export const totals = computed(() => {
  const s = summary.data.value?.queries;
  return live.value ?? s ?? null;
});

/** When blocking comes back by itself, in unix seconds; null: not paused, or for good. */
export const resumesAt = signal<number | null>(null);

function noteBlocking(b: Blocking): void {
  const at = b.blocking === "disabled" && b.timer !== null ? Date.now() / 1000 + b.timer : null;
  batch(() => {
    if (blocking.data.value?.blocking !== b.blocking || blocking.data.value?.timer !== b.timer) {
      blocking.data.value = { blocking: b.blocking, timer: b.timer };
    }
    // Whole seconds from the server: keep the running countdown unless it is off by more than their grain.
    if (at === null || resumesAt.value === null || Math.abs(at - resumesAt.value) > 1.5) resumesAt.value = at;
  });
}

export async function setBlocking(on: boolean, timer: number | null): Promise<void> {
  noteBlocking(await heard(call<Blocking>("POST", "dns/blocking", { blocking: on, timer })));
}

export async function loadBlocking(): Promise<void> {
  await blocking.load();
  if (blocking.data.value) noteBlocking(blocking.data.value);
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
    void localRecords.load();
  } else if (what === "blocking") {
    void loadBlocking();
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
    if (again) { // what came while we were away was not for us
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

/** What changes slowly: each half minute, and after a change. */
export async function loadSlow(): Promise<void> {
  await Promise.all([
    summary.load(), history.load(), topBlocked.load(), topAllowed.load(), topClients.load(), upstreams.load(), status.load(),
  ]);
}

export async function loadTops(): Promise<void> {
  await Promise.all([topBlocked.load(), topAllowed.load(), topClients.load(), upstreams.load()]);
}

/** Everything, as at the start. */
export async function loadAll(): Promise<void> {
  await status.load(); // first: it says what else there is
  await Promise.all([loadSlow(), loadBlocking(), lists.load(), rules.load(), localRecords.load()]);
}

/** Called at each poll where there is no stream; the log adds itself. */
const pollers = new Set<() => void>();
export function onPoll(f: () => void): () => void {
  pollers.add(f);
  return () => pollers.delete(f);
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
    if (turn % 60 === 0) await Promise.all([lists.load(), rules.load()]);
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
  await checkSession();
}

export async function checkSession(): Promise<void> {
  try {
    const s = await heard(askSession());
    wantsTotp.value = s.totp;
    hasPassword.value = s.sid !== null || !s.valid;
    access.value = s.valid ? "in" : "out";
  } catch {
    if (access.value === "unknown") setTimeout(() => void checkSession(), 3000);
  }
}
