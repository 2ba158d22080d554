// Four numbers, each with the time that it covers.
import { between, count, meanWords, percent, rate, windowWords } from "./format.ts";
import { now, sinceStatus, status, summary, topsRange, totals } from "./state.ts";

/** What numbers cover that were told `later` seconds after the status. */
function windowNote(of: "window" | "window_tops", later = 0): string {
  const w = status.data.value?.[of];
  return w ? windowWords(w.from, w.until + Math.floor(later), status.data.value?.since) : "in the last 24 hours";
}

/** What top lists cover: the span that was brushed, or all that they count. */
export function rangeNote(of: "window" | "window_tops" = "window_tops"): string {
  const r = topsRange.value;
  return r ? between(r.from, r.until, now.value) : windowNote(of);
}

function Number({ label, value, note, tone }: { label: string; value: string | null; note: string; tone?: string }) {
  return (
    <div class={"number" + (tone ? " " + tone : "")}>
      <dt>{label}</dt>
      <dd>
        <span class="value">{value ?? <span class="skeleton-number" />}</span>
        <span class="note">{note}</span>
      </dd>
    </div>
  );
}

export function Totals() {
  const t = totals.value;
  const s = summary.data.value;
  const note = windowNote("window", sinceStatus.value); // totals come each second
  const mean = status.data.value?.frequency_s;
  const clients = s ? `${note}, by ${count(s.clients.active)} ${s.clients.active === 1 ? "device" : "devices"}` : note;
  return (
    <dl class="numbers" id="totals">
      <Number label="Queries" value={t && count(t.total)} note={clients} />
      <Number label="Blocked" value={t && count(t.blocked)} note={note} tone={t && t.blocked > 0 ? "blocked" : undefined} />
      <Number label="Share blocked" value={t && percent(t.blocked, t.total)} note={`of all queries ${note}`} />
      <Number label="Queries a second" value={t && rate(t.frequency)} note={mean ? meanWords(mean) : "at present"} />
    </dl>
  );
}
