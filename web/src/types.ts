// The shapes of the API's answers, as far as the page reads them.

export interface Session {
  valid: boolean;
  totp: boolean;
  sid: string | null;
  csrf?: string | null;
  validity: number;
  message?: string | null;
}

export type BlockingState = "enabled" | "disabled" | "failed" | "unknown";

export interface Blocking {
  blocking: BlockingState;
  timer: number | null;
}

export interface Summary {
  queries: {
    total: number;
    blocked: number;
    percent_blocked: number;
    forwarded: number;
    cached: number;
    frequency: number;
  };
  clients: { active: number; total: number };
  gravity: { domains_being_blocked: number; last_update: number };
}

/** What the events stream sends each second: the live part of Summary and Blocking. */
export interface Totals extends Blocking {
  total: number;
  blocked: number;
  percent_blocked: number;
  frequency: number;
}

export interface Status {
  version: string;
  uptime: number;
  since?: number; // when counting began
  window?: { from: number; until: number }; // of the totals and the devices
  window_tops?: { from: number; until: number }; // of names, upstreams and lists
  frequency_s?: number;
  lists?: { count: number; failed: number; rules: number; updated: number; updating: boolean };
  upstream?: { median_ms: number | null; p95_ms: number | null; answers: number; failures: number; window_s: number };
  memory?: { resident: number; lists?: number };
  spans?: Span[];
  features?: string[];
}

export type Span = "1h" | "24h" | "7d" | "30d";

export interface Slot {
  timestamp: number;
  total: number;
  cached: number;
  blocked: number;
  forwarded: number;
}

export interface TopDomain {
  domain: string;
  count: number;
}

export interface TopClient {
  ip: string;
  name: string;
  count: number;
}

export interface Upstream {
  ip: string;
  name: string;
  port: number;
  count: number;
  statistics: { response: number; variance: number };
}

export interface Query {
  id: number;
  time: number;
  type: string;
  domain: string;
  cname: string | null;
  status: string | null;
  client: { ip: string; name: string | null };
  dnssec: string | null;
  reply: { type: string | null; time: number };
  list_id: number | null;
  upstream: string | null;
  ede: { code: number; text: string | null };
}

export interface QueryPage {
  queries: Query[];
  cursor: number;
  recordsTotal: number;
  recordsFiltered: number;
}

export interface List {
  id: number;
  address: string;
  type: "block" | "allow";
  enabled: boolean;
  comment: string | null;
  groups?: number[];
  number: number;
  invalid_domains: number;
  date_updated: number;
  status: number;
  name?: string | null;
  hits?: number;
  unique_hits?: number | null;
  unique?: number | null;
  error?: string | null;
  examples?: string[]; // lines that are no rule
  fetching?: boolean;
  needs_confirm?: boolean; // the new copy is much shorter; it waits for a person
  configured?: boolean; // stands in the configuration file: can be switched off here, not removed
}

export type RuleType = "allow" | "deny";
export type RuleKind = "exact" | "regex";

export interface Rule {
  id: number;
  domain: string;
  unicode: string;
  type: RuleType;
  kind: RuleKind;
  comment: string | null;
  enabled: boolean;
  groups: number[];
  date_added: number;
  expires?: number | null;
  client?: string | null;
  active?: boolean; // in force now
}

/** An address, or a network, that is not wanted in answers. */
export interface AddressRule {
  id: number;
  address: string;
  comment: string | null;
  enabled: boolean;
  groups: number[];
}

export interface LocalRecord {
  kind: "host" | "alias" | "record";
  name: string;
  type?: string; // of a record of any type
  target: string; // an address, the name that the alias stands for, or the record's value
  item?: string; // as the server writes it
}

export interface Processed {
  success: { item: string }[];
  errors: { item: string; error: string }[];
}

export interface Decision {
  source: "list" | "rule" | "service" | "local" | "special";
  list_id: number | null;
  list: string | null;
  rule: string;
  subtree: boolean;
  regex: boolean; // rule is a regular expression
  line: number | null;
  action: "block" | "allow";
}

export interface Check {
  domain: string;
  client: { ip: string; name: string | null; group: string | null } | null;
  verdict: "blocked" | "allowed" | "local";
  paused: boolean;
  answer: string | null;
  decided_by: Decision | null;
  others: Decision[];
  left_off?: number; // further ones beyond those
  steps?: { step: string; text: string }[]; // from who asks to what decides
  without?: { off: Decision; verdict: Check["verdict"] }[]; // what it would be with one of them off
}

/** An app password or a read-only key; its secret is told once, when it is made. */
export interface Key {
  id: number;
  name: string;
  read_only: boolean;
  created: number;
  secret?: string;
}

export interface Seat {
  id: number;
  current_session: boolean;
  app: boolean;
  login_at: number;
  last_active: number;
  remote_addr: string;
  user_agent: string | null;
}

/** What an authenticator app is told. */
export interface TotpSecret {
  secret: string;
  uri: string;
}

/** A row of the configuration that can be set from here. */
export interface Option {
  name: string;
  section: string;
  type: "bool" | "number" | "duration" | "size" | "word" | "block-mode" | "text" | "texts";
  value: string[]; // in force; texts may have any number
  source: "default" | "file" | "rules" | "environment" | "command line";
  default: string;
  words: string;
  unit: string;
  expected: string;
  help: string;
  live: boolean; // at once, else at the next start
}

export interface Settings {
  settings: Record<string, string>; // what was set here
  options: Option[];
}

export interface ClientCount {
  ip: string;
  name: string | null;
  count: number;
}

/** A list that is tried before it is switched on. */
export interface Preview {
  id: number;
  url: string;
  state: "fetching" | "matching" | "done" | "failed";
  error: string | null;
  list: { format: string | null; rules: number; new_rules: number; rejected: number; examples: string[] } | null;
  result: {
    from: number;
    until: number;
    partial: boolean;
    queries: number; // answered and not blocked
    would_block: number;
    names: number;
    clients_hit: number;
    domains: { domain: string; count: number; clients: ClientCount[] }[];
  } | null;
}

export interface Group {
  id: number; // 0: everybody
  name: string;
  comment: string | null;
  enabled: boolean;
}

/** A device that somebody described. */
export interface Client {
  id: number;
  client: string; // address, network …
  name: string | null; // what the network calls it
  name_source: string;
  addresses: string[];
  comment: string | null;
  groups: number[];
}

/** A device that asked and is not described. */
export interface Suggestion {
  hwaddr: string | null;
  addresses: string; // several: with commas
  names: string | null;
  name_source: string;
  lastQuery: number;
}

export interface Service {
  id: string;
  title: string;
  names: number;
  blocked: boolean; // for everybody
}

export interface SafeSearch {
  on: boolean; // for everybody
  engines: { id: string; stands_in: string; names: number }[];
}

/** How members of a group are treated, beyond lists and rules. */
export interface Treatment {
  name: string;
  id: number;
  enabled: boolean;
  configured: boolean;
  clients: string[]; // members by the configuration
  file: Record<"upstreams" | "schedules" | "services", string[]>; // values of the configuration, the last ones of those below
  now: "as usual" | "blocks" | "pauses";
  schedule: string | null; // the time that is in force
  block_mode: string | null;
  safe_search: boolean | null;
  upstreams: string[];
  schedules: string[];
  services: string[];
}

export interface Pause {
  group: string | null;
  client: string | null;
  timer: number | null; // seconds left when it was told; null: until it is ended
}

export interface HeldRule {
  name: string;
  itself: boolean;
  below: boolean;
  type: "allow" | "block";
}

/** An update of a list that waits for a person. */
export interface Held {
  reason: string;
  fetched: number;
  rules: number;
  rules_before: number;
  compared: boolean; // the rest is filled
  names: { name: string; kind: string; below: boolean }[];
  added: number;
  removed: number;
  added_rules: HeldRule[];
  removed_rules: HeldRule[];
}

/** The history on the disk. */
export interface Database {
  supported: boolean;
  enabled: boolean;
  problem: string | null;
  octets: number;
  octets_max: number;
  keep_s: number;
  queries: number;
  oldest: number; // 0: none
  lost_queries: number;
  written_octets_day: number;
}
