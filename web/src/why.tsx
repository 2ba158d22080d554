// Why a name was answered as it was: who asked, which rule decided and which others would have, the alias, the answer.
import { signal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { ApiError, get } from "./api.ts";
import { editDevice } from "./devices.tsx";
import { noFilter, type Filter } from "./filter.ts";
import { dayOf, duration, latency, timeExact } from "./format.ts";
import { setFilter } from "./log.ts";
import { Modal } from "./modal.tsx";
import { blockedByAlias, outcomeDetail, outcomeOf, outcomeWord } from "./outcome.ts";
import { Name, Skeleton } from "./parts.tsx";
import { devices, loadPolicy } from "./policy.ts";
import { addRule, removeRule } from "./rules.ts";
import { clients, features, heard, lists, now, rules } from "./state.ts";
import type { Check, Query, Rule, RuleType } from "./types.ts";
import { Verdict } from "./verdict.tsx";

export interface Asked {
  domain: string;
  query?: Query;
}

interface Verdicts {
  name: Check | null;
  alias: Check | null;
  error: ApiError | null;
}

const asked = signal<Asked | null>(null);
const verdicts = signal<Verdicts | null>(null);

async function check(domain: string, client: string | undefined): Promise<Check> {
  const p = new URLSearchParams({ domain });
  if (client) p.set("client", client);
  return heard(get<Check>("sinkhole/check?" + p.toString()));
}

async function lookUp(a: Asked): Promise<void> {
  const v: Verdicts = { name: null, alias: null, error: null };
  try {
    v.name = await check(a.domain, a.query?.client.ip);
    if (a.query?.cname) v.alias = await check(a.query.cname, a.query.client.ip);
  } catch (e) {
    v.error = e as ApiError;
  }
  if (asked.value === a) verdicts.value = v;
}

export function openWhy(a: Asked): void {
  verdicts.value = null;
  onlyDevice.value = false;
  asked.value = a;
  void lookUp(a);
}

function close(): void {
  asked.value = null;
}

function Step({ title, children }: { title: string; children: ComponentChildren }) {
  return (
    <li>
      <h3>{title}</h3>
      <div>{children}</div>
    </li>
  );
}

function Client({ q, c }: { q: Query; c: Check | null }) {
  const name = q.client.name || c?.client?.name;
  return (
    <p>
      {name && (
        <>
          <b>
            <Name text={name} />
          </b>{" "}
        </>
      )}
      <Name text={q.client.ip} />
      {c?.client?.group && (
        <span class="muted">
          {" "}
          in group <Name text={c.client.group} />
        </span>
      )}
      {" asked for "}
      <b>
        <Name text={q.type} />
      </b>
      <span class="muted">
        {" "}
        · {dayOf(q.time)}, {timeExact(q.time)}
      </span>
    </p>
  );
}

function listWords(q: Query): ComponentChildren {
  const l = q.list_id === null ? undefined : lists.data.value?.find((x) => x.id === q.list_id);
  return l ? (
    <>
      by <Name text={l.name || l.address} />
    </>
  ) : (
    outcomeDetail(q)
  );
}

const replyWord: Record<string, string> = {
  IP: "an address",
  CNAME: "an alias",
  NODATA: "no such record",
  NXDOMAIN: "no such name",
  SERVFAIL: "a failure",
  REFUSED: "refused",
  NONE: "none",
};

function Then({ q }: { q: Query }) {
  const o = outcomeOf(q);
  return (
    <>
      <p>
        <span class={"tag " + o}>{outcomeWord[o]}</span> {listWords(q)}
      </p>
      <p class="muted">
        {q.reply.type && q.reply.type !== "UNKNOWN" && <>Reply: {replyWord[q.reply.type] ?? q.reply.type}</>}
        {q.reply.time > 0 && <> in {latency(q.reply.time)}</>}
        {q.upstream && (
          <>
            {" "}
            from <Name text={q.upstream.replace("#", " port ")} />
          </>
        )}
        {q.ede.code >= 0 && (
          <>
            {" "}
            · extended error {q.ede.code}
            {q.ede.text && (
              <>
                {" "}
                “<Name text={q.ede.text} />”
              </>
            )}
          </>
        )}
      </p>
    </>
  );
}

function Now({ v }: { v: Verdicts | null }) {
  if (v === null) return <Skeleton lines={2} />;
  if (v.error !== null) {
    return (
      <p class="muted">
        {v.error.kind === "absent" ? "This server cannot say which rule decides." : `Could not be checked: ${v.error.message}.`}
      </p>
    );
  }
  return v.name && <Verdict c={v.name} />;
}

/** The own rules about exactly this name: for every device, and for the one that asked. */
function ownRules(domain: string, client: string | undefined): Rule[] {
  return (rules.data.value ?? []).filter((r) => r.kind === "exact" && r.domain === domain && (!r.client || r.client === client));
}

const onlyDevice = signal(false);

const terms: [string, number | null][] = [
  ["10 min", 600],
  ["1 hour", 3600],
  ["always", null],
];

function Change({ a }: { a: Asked }) {
  if (rules.absent.value) return null;
  const domain = a.domain.toLowerCase();
  const device = features.value.has("client_rules") ? a.query?.client : undefined;
  const client = device && onlyDevice.value ? device.ip : null;
  const all = ownRules(domain, a.query?.client.ip);
  const own = all.find((r) => (r.client ?? null) === client);
  const again = () => void lookUp(a);
  const add = (type: RuleType, timer: number | null) => void addRule({ type, kind: "exact", domain, timer, client }).then(again);
  const timed = features.value.has("timed_rules");
  const choices = timed ? terms : terms.filter(([, t]) => t === null);
  return (
    <div class="change">
      {all.map((r) => (
        <p key={r.id}>
          You {r.type === "allow" ? "allow" : "block"} this name for {r.client ? "this device" : "every device"}
          {r.expires ? `, for another ${duration(r.expires - now.value)}` : ""}.{" "}
          <button type="button" onClick={() => void removeRule(r).then(again)}>
            Remove the rule
          </button>
        </p>
      ))}
      {device && (
        <div class="segments" role="group" aria-label="A new rule is for">
          <button type="button" aria-pressed={!onlyDevice.value} onClick={() => void (onlyDevice.value = false)}>
            For every device
          </button>
          <button type="button" aria-pressed={onlyDevice.value} onClick={() => void (onlyDevice.value = true)}>
            Only <Name text={device.name || device.ip} />
          </button>
        </div>
      )}
      {(["allow", "deny"] as RuleType[])
        .filter((t) => own?.type !== t)
        .map((type) => (
          <div key={type} class="choice" role="group" aria-label={`${type === "allow" ? "Allow" : "Block"} this name`}>
            <span>{type === "allow" ? "Allow" : "Block"}</span>
            {choices.map(([words, timer]) => (
              <button
                key={words}
                type="button"
                class={timer === null && !timed ? "wide" : ""}
                aria-label={`${type === "allow" ? "Allow" : "Block"} ${timer === null ? "always" : "for " + duration(timer)}`}
                onClick={() => add(type, timer)}
              >
                {timer !== null ? words : "always"}
              </button>
            ))}
          </div>
        ))}
      <p class="muted small">{device ? "" : "For every device. "}The rule is about this name only, not about those below it.</p>
    </div>
  );
}

/** Shows the log with another filter. */
function Go({ words, filter }: { words: string; filter: Filter }) {
  const go = () => {
    close();
    setFilter(filter, true);
  };
  return (
    <button type="button" class="small" onClick={go}>
      {words}
    </button>
  );
}

async function describe(client: string): Promise<void> {
  await loadPolicy();
  close();
  editDevice(devices.value.find((d) => d.client === client || d.addresses.includes(client)) ?? { client, name: "", addresses: [], source: "none", known: null, seen: 0 });
}

function Story({ a }: { a: Asked }) {
  const v = verdicts.value;
  const q = a.query;
  const alias = q?.cname ?? null;
  return (
    <ol class="story">
      {q && (
        <Step title="Asked">
          <Client q={q} c={v?.name ?? null} />
          <div class="buttons">
            <Go words="Its queries" filter={{ ...noFilter, client: q.client.ip }} />
            <Go words="This name’s queries" filter={{ ...noFilter, text: q.domain }} />
            {!clients.absent.value && (
              <button type="button" class="small" onClick={() => void describe(q.client.ip)}>
                Describe this device…
              </button>
            )}
          </div>
        </Step>
      )}
      {q && (
        <Step title="What happened">
          <Then q={q} />
        </Step>
      )}
      <Step title={q ? "The name today" : "What would happen now"}>
        <Now v={v} />
      </Step>
      {alias !== null && (
        <Step title="Its alias">
          <p>
            <Name text={a.domain} /> is an alias of{" "}
            <b>
              <Name text={alias} />
            </b>
            {q && blockedByAlias(q) && ", which is why it was blocked"}.
          </p>
          {v?.alias && <Verdict c={v.alias} />}
        </Step>
      )}
      {v?.name && (
        <Step title="The answer">
          <p>
            {v.name.verdict === "local" ? (
              "Comes from this machine."
            ) : v.name.paused || v.name.answer === null ? (
              "Comes from the cache or an upstream."
            ) : (
              <>
                The device gets <Name text={v.name.answer} />.
              </>
            )}
          </p>
        </Step>
      )}
    </ol>
  );
}

/** The panel at the side, at the foot on a phone. */
export function Why() {
  const a = asked.value;
  return (
    <Modal open={a !== null} close={close} class="side" id="why-title" title={a && <Name text={a.domain} />}>
      {a && (
        <>
          <Story a={a} />
          <Change a={a} />
        </>
      )}
    </Modal>
  );
}
