// What the page knows of the server: one resource for each thing that it says, and what follows from them.
import { batch, computed, signal, type Signal } from "@preact/signals";
import { ApiError, call, get, session as askSession } from "./api.ts";
import { parseAlias, parseHost, parseRecord } from "./names.ts";
import type {
  AddressRule,
  Blocking,
  Client,
  Database,
  Group,
  Key,
  List,
  LocalRecord,
  Pause,
  Rule,
  SafeSearch,
  Seat,
  Service,
  Settings,
  Slot,
  Span,
  Status,
  Suggestion,
  Summary,
  TopClient,
  TopDomain,
  Totals,
  Treatment,
  Upstream,
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
    data,
    error,
    absent,
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

/** When the status was told, by our own clock: its times run on. */
export const statusAt = signal(0);

/** Seconds since then. */
export const sinceStatus = computed(() => (statusAt.value === 0 ? 0 : Math.max(0, now.value - statusAt.value)));

export const status = resource(async () => {
  const s = await get<Status>("sinkhole/status");
  statusAt.value = Date.now() / 1000;
  return s;
});
export const summary = resource(() => get<Summary>("stats/summary"));
export const blocking = resource(() => get<Blocking>("dns/blocking"));
export const lists = resource(async () => (await get<{ lists: List[] }>(ranged("lists?"))).lists);
export const rules = resource(async () => (await get<{ domains: Rule[] }>("domains")).domains);

interface DnsConfig<K extends string> {
  config: { dns: Record<K, string[]> };
}

/** Records of any type, where the server has them. */
async function otherRecords(): Promise<string[]> {
  try {
    const { records } = await get<{ records: string[] }>("sinkhole/records");
    anyRecord.value = true;
    return records;
  } catch (e) {
    if ((e as ApiError).kind !== "absent") throw e;
    return [];
  }
}

export const anyRecord = signal(false); // this server has records of any type

/** Own records; items that are not in the form that we know are shown as they are. */
export const localRecords = resource(async (): Promise<LocalRecord[]> => {
  const hosts = (await get<DnsConfig<"hosts">>("config/dns/hosts")).config.dns.hosts;
  const aliases = (await get<DnsConfig<"cnameRecords">>("config/dns/cnameRecords")).config.dns.cnameRecords;
  return [...hosts.map(parseHost), ...aliases.map(parseAlias), ...(await otherRecords()).map(parseRecord)];
});

// Read when their tab is opened.
export const addresses = resource(async () => (await get<{ addresses: AddressRule[] }>("sinkhole/addresses")).addresses);
export const keys = resource(async () => (await get<{ keys: Key[] }>("sinkhole/keys")).keys);
export const seats = resource(async () => (await get<{ sessions: Seat[] }>("auth/sessions")).sessions);

export const groups = resource(async () => (await get<{ groups: Group[] }>("groups")).groups);
export const clients = resource(async () => (await get<{ clients: Client[] }>("clients")).clients);
export const suggestions = resource(async () => (await get<{ clients: Suggestion[] }>("clients/_suggestions")).clients);
/** How groups are treated and what is paused, and when that was told: pauses run on. */
export const policyAt = signal(0);
export const policy = resource(async () => {
  const p = await get<{ groups: Treatment[]; pauses: Pause[] }>("sinkhole/policy");
  policyAt.value = Date.now() / 1000;
  return p;
});
export const services = resource(() => get<{ services: Service[]; safe_search: SafeSearch }>("sinkhole/services"));
export const database = resource(async () => (await get<{ database: Database }>("sinkhole/database")).database);
export const totp = resource(async () => (await get<{ totp: { supported: boolean; enabled: boolean } }>("sinkhole/totp")).totp);
export const settings = resource(() => get<Settings>("sinkhole/settings"));

export const features = computed(() => new Set(status.data.value?.features ?? []));

function ranged(path: string): string {
  const b = brushed.value;
  return b !== null && features.value.has("ranges") ? `${path}&from=${b.from}&until=${b.until}` : path;
}

const topCount = 10;
export const topBlocked = resource(
  async () => (await get<{ domains: TopDomain[] }>(ranged(`stats/top_domains?blocked=true&count=${topCount}`))).domains,
);
export const topAllowed = resource(
  async () => (await get<{ domains: TopDomain[] }>(ranged(`stats/top_domains?blocked=false&count=${topCount}`))).domains,
);
export const topClients = resource(
  async () => (await get<{ clients: TopClient[] }>(ranged(`stats/top_clients?count=${topCount}`))).clients,
);
export const upstreams = resource(async () => (await get<{ upstreams: Upstream[] }>(ranged("stats/upstreams?"))).upstreams);

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

export function noteBlocking(b: Blocking): void {
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

/** What changes slowly: each half minute, and after a change. */
export async function loadSlow(): Promise<void> {
  await Promise.all([
    summary.load(),
    history.load(),
    topBlocked.load(),
    topAllowed.load(),
    topClients.load(),
    upstreams.load(),
    status.load(),
  ]);
}

/** What a brushed span changes. */
export async function loadTops(): Promise<void> {
  await Promise.all([topBlocked.load(), topAllowed.load(), topClients.load(), upstreams.load(), lists.load()]);
}

/** Everything, as at the start. What there is of history and ranges is said by the status, so those wait for it. */
export async function loadAll(): Promise<void> {
  const after = status.load().then(() => Promise.all([history.load(), loadTops()]));
  await Promise.all([
    after,
    summary.load(),
    loadBlocking(),
    rules.load(),
    localRecords.load(),
    services.load(),
    groups.load(),
    clients.load(),
    policy.load(),
  ]);
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
