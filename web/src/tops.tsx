// The most frequent names, clients and upstreams, as lists with a bar for their share.
import type { ComponentChildren } from "preact";
import { count, latency, percent } from "./format.ts";
import { setFilter } from "./log.ts";
import { Loaded, Name, Panel } from "./parts.tsx";
import { topAllowed, topBlocked, topClients, upstreams, type Resource } from "./state.ts";
import { rangeNote } from "./totals.tsx";
import type { TopClient, TopDomain, Upstream } from "./types.ts";
import { openWhy } from "./why.tsx";

function Row({
  share,
  value,
  sub,
  tone,
  children,
}: {
  share: number;
  value: string;
  sub?: string;
  tone: string;
  children: ComponentChildren;
}) {
  return (
    <li class="top-row">
      <div class="top-text">
        {children}
        <span class="top-value">
          {value}
          {sub && <small>{sub}</small>}
        </span>
      </div>
      <span class={"bar " + tone} aria-hidden="true">
        <i style={{ width: share > 0 ? `max(2px, ${Math.min(100, 100 * share)}%)` : 0 }} />
      </span>
    </li>
  );
}

function Domains({
  id,
  title,
  of,
  tone,
  empty,
}: {
  id: string;
  title: string;
  of: Resource<TopDomain[]>;
  tone: string;
  empty: string;
}) {
  return (
    <Panel id={id} title={title} note={`Queries ${rangeNote()}`}>
      <Loaded of={of} lines={8} empty={(v) => v.length === 0 && <p>{empty}</p>}>
        {(v) => (
          <ol class="tops">
            {v.map((d) => (
              <Row key={d.domain} share={d.count / (v[0]?.count || 1)} value={count(d.count)} tone={tone}>
                <button type="button" class="link" onClick={() => openWhy({ domain: d.domain })}>
                  <Name text={d.domain} />
                </button>
              </Row>
            ))}
          </ol>
        )}
      </Loaded>
    </Panel>
  );
}

function Clients({ of }: { of: Resource<TopClient[]> }) {
  return (
    <Panel id="top-clients" title="Devices" note={`Queries ${rangeNote("window")}`}>
      <Loaded
        of={of}
        lines={8}
        empty={(v) => v.length === 0 && <p>No device has asked yet. Point one, or your router, at this machine.</p>}
      >
        {(v) => (
          <ol class="tops">
            {v.map((c) => (
              <Row key={c.ip} share={c.count / (v[0]?.count || 1)} value={count(c.count)} tone="forwarded">
                <button type="button" class="link" onClick={() => setFilter({ client: c.ip }, true)} title="Show its queries">
                  <Name text={c.name || c.ip} />
                  {c.name && (
                    <small>
                      <Name text={c.ip} />
                    </small>
                  )}
                </button>
              </Row>
            ))}
          </ol>
        )}
      </Loaded>
    </Panel>
  );
}

// FTL counts what it answers itself as two rows without a port.
const isReal = (u: Upstream): boolean => u.port >= 0;

function upstreamName(u: Upstream): string {
  return u.name !== "" && u.name !== u.ip ? u.name : u.ip;
}

function Upstreams() {
  return (
    <Panel id="upstreams" title="Upstreams" note={`Questions passed on ${rangeNote()}, and the mean time to an answer`}>
      <Loaded of={upstreams} lines={4} empty={(v) => v.length === 0 && <p>No upstream is set.</p>}>
        {(v) => {
          const real = v.filter(isReal);
          const all = v.reduce((n, u) => n + u.count, 0);
          const here = all - real.reduce((n, u) => n + u.count, 0);
          const most = Math.max(1, ...real.map((u) => u.count));
          return (
            <>
              <ol class="tops">
                {real.map((u) => (
                  <Row
                    key={`${u.ip}#${u.port}`}
                    share={u.count / most}
                    value={count(u.count)}
                    tone="forwarded"
                    sub={u.count > 0 ? latency(u.statistics.response) : "not asked"}
                  >
                    <span class="plain-name">
                      <Name text={upstreamName(u)} />
                      <small>
                        <Name text={upstreamName(u) === u.ip ? `port ${u.port}` : `${u.ip} port ${u.port}`} />
                      </small>
                    </span>
                  </Row>
                ))}
              </ol>
              {all > 0 && (
                <p class="aside">
                  {percent(here, all)} of all queries never left this machine: blocked, or answered from the cache.
                </p>
              )}
            </>
          );
        }}
      </Loaded>
    </Panel>
  );
}

export function Tops() {
  return (
    <div class="grid">
      <Domains id="top-blocked" title="Most blocked" of={topBlocked} tone="blocked" empty="Nothing has been blocked yet." />
      <Domains id="top-allowed" title="Most allowed" of={topAllowed} tone="forwarded" empty="No queries yet." />
      <Clients of={topClients} />
      <Upstreams />
    </div>
  );
}
