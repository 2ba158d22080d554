// A list tried before it is switched on: what it would have blocked of what this house asked for.
import { signal } from "@preact/signals";
import { ApiError, call, get } from "./api.ts";
import { count, percent, windowWords } from "./format.ts";
import { Modal } from "./modal.tsx";
import { Name, Skeleton } from "./parts.tsx";
import { heard } from "./state.ts";
import type { ClientCount, Preview } from "./types.ts";

const path = "sinkhole/lists/preview";
const askEveryMs = 700;

interface Trial {
  url: string;
  add: () => void; // switches the list on
  preview: Preview | null;
  error: ApiError | null;
}

const trial = signal<Trial | null>(null);
const ended = (p: Preview | null): boolean => p?.state === "done" || p?.state === "failed";
const pause = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms));

/** Starts the trial and follows it until it ends or the dialog is closed. */
export async function tryList(url: string, add: () => void): Promise<void> {
  const mine: Trial = { url, add, preview: null, error: null };
  trial.value = mine;
  const open = () => trial.value?.url === url && trial.value.add === add;
  try {
    let { preview } = await heard(call<{ preview: Preview | null }>("POST", path, { url }));
    const id = preview?.id;
    while (open() && preview?.id === id) {
      trial.value = { ...mine, preview };
      if (ended(preview)) return;
      await pause(askEveryMs);
      ({ preview } = await heard(get<{ preview: Preview | null }>(path)));
    }
    if (open()) throw new ApiError("refused", "another list is being tried now");
  } catch (e) {
    if (open()) trial.value = { ...mine, error: e as ApiError };
  }
}

function close(): void {
  const t = trial.value;
  trial.value = null;
  if (t && !ended(t.preview) && t.error === null) void call("DELETE", path).catch(() => {}); // it would end by itself, later
}

const whole = (n: number, one: string, many: string): string => `${count(n)} ${n === 1 ? one : many}`;

/** "anna-phone 12, 192.0.2.7 3" */
function Clients({ of }: { of: ClientCount[] }) {
  return of.slice(0, 4).map((c, i) => (
    <span key={c.ip}>
      {i > 0 && ", "}
      <Name text={c.name || c.ip} /> {count(c.count)}
    </span>
  ));
}

function Brings({ p }: { p: Preview }) {
  const l = p.list;
  if (!l) return null;
  return (
    <p>
      <b>{whole(l.rules, "rule", "rules")}</b>
      {l.format && <span class="muted"> in the form “{l.format}”</span>}; <b>{count(l.new_rules)}</b> of them (
      {percent(l.new_rules, l.rules)}) no list of yours has.
      {l.rejected > 0 && <span class="muted"> {whole(l.rejected, "line gives", "lines give")} no rule.</span>}
    </p>
  );
}

function Result({ p }: { p: Preview }) {
  const r = p.result;
  if (!r) return null;
  const time = windowWords(r.from, r.until);
  if (r.queries === 0)
    return <p class="muted">There are no queries to hold it against yet, so nothing can be said of its effect.</p>;
  return (
    <>
      <p>
        It would have blocked <b class={r.would_block > 0 ? "bad" : ""}>{whole(r.would_block, "query", "queries")}</b> more
        {r.would_block > 0 && (
          <>
            , for {whole(r.names, "name", "names")} and from {whole(r.clients_hit, "device", "devices")}
          </>
        )}
        .{" "}
        <span class="muted">
          Looked at: {whole(r.queries, "query", "queries")} that {r.queries === 1 ? "was" : "were"} let through {time}
          {r.partial && "; there were more than could be looked at"}.
        </span>
      </p>
      {r.domains.length > 0 && (
        <table class="rows would">
          <caption class="hidden">Names that it would have blocked</caption>
          <thead>
            <tr>
              <th scope="col">Name</th>
              <th scope="col">Queries</th>
              <th scope="col">Devices</th>
            </tr>
          </thead>
          <tbody>
            {r.domains.map((d) => (
              <tr key={d.domain}>
                <th scope="row" class="what">
                  <Name text={d.domain} />
                </th>
                <td>{count(d.count)}</td>
                <td class="muted">
                  <Clients of={d.clients} />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      {r.names > r.domains.length && (
        <p class="muted small">
          The {r.domains.length} most asked for of {count(r.names)} names.
        </p>
      )}
    </>
  );
}

function Words({ t }: { t: Trial }) {
  const p = t.preview;
  if (t.error) return <p class="bad">Could not be tried: {t.error.hint ?? t.error.message}.</p>;
  if (p?.state === "failed")
    return (
      <p class="bad">
        Could not be read: <Name text={p.error ?? "no reason is known"} />.
      </p>
    );
  return (
    <>
      {p && <Brings p={p} />}
      {p?.state === "done" ? (
        <Result p={p} />
      ) : (
        <>
          <p class="muted" role="status">
            {p?.state === "matching" ? "Holding it against the queries of the last week…" : "Fetching the list…"}
          </p>
          <Skeleton lines={3} />
        </>
      )}
    </>
  );
}

export function PreviewDialog() {
  const t = trial.value;
  const add = () => {
    t?.add();
    close();
  };
  return (
    <Modal open={t !== null} close={close} class="centre" id="preview-title" title="What this list would do">
      {t && (
        <div class="stack">
          <p class="muted small">
            <Name text={t.url} />
          </p>
          <Words t={t} />
          <div class="buttons">
            <button type="button" class="primary" disabled={t.preview?.state !== "done"} onClick={add}>
              Add this list
            </button>
            <button type="button" onClick={close}>
              Leave it
            </button>
          </div>
        </div>
      )}
    </Modal>
  );
}
