// The query history on the disk: how much there is, what it costs, and how to be rid of it.
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { call } from "./api.ts";
import { act } from "./form.tsx";
import { count, dateOf, duration, octets } from "./format.ts";
import { Loaded } from "./parts.tsx";
import { database, loadAll } from "./state.ts";

export function Stored() {
  const sure = useSignal(false);
  useEffect(() => void database.load(), []);
  const erase = async () => {
    const done = "The history and the query log are erased.";
    await act(() => call("DELETE", "sinkhole/database"), { done, after: () => Promise.all([database.load(), loadAll()]) });
    sure.value = false;
  };
  if (database.absent.value || database.data.value?.supported === false) return null;
  return (
    <section class="stack" aria-labelledby="h-stored">
      <h3 id="h-stored">Query history</h3>
      <Loaded of={database} lines={2}>
        {(d) => (
          <>
            <p class="muted">
              {d.enabled
                ? `${count(d.queries)} queries${d.oldest > 0 ? ` since ${dateOf(d.oldest)}` : ""} in ${octets(d.octets)} on the disk, of ${octets(d.octets_max)} at most; kept for ${duration(d.keep_s)}. ${octets(d.written_octets_day)} were written in the last 24 hours.`
                : "Nothing is kept on the disk: queries are in memory alone, until they make room for newer ones."}{" "}
              How much is told of a query is a setting, under “Privacy and history”.
            </p>
            {d.problem && <p class="bad">It cannot be written: {d.problem}.</p>}
            {d.lost_queries > 0 && <p class="warn">{count(d.lost_queries)} queries were not written since the start.</p>}
            <div class="buttons">
              {sure.value ? (
                <>
                  <button type="button" class="primary" onClick={() => void erase()}>
                    Erase it for good
                  </button>
                  <button type="button" onClick={() => void (sure.value = false)}>
                    Keep it
                  </button>
                </>
              ) : (
                <button type="button" onClick={() => void (sure.value = true)}>
                  Erase all queries…
                </button>
              )}
            </div>
          </>
        )}
      </Loaded>
    </section>
  );
}
