// An update of a list that was held back: what it would change, and the choice.
import { signal } from "@preact/signals";
import { call, get } from "./api.ts";
import { act } from "./form.tsx";
import { ago, count } from "./format.ts";
import { Modal } from "./modal.tsx";
import { Name, Skeleton } from "./parts.tsx";
import { heard, lists, now, status } from "./state.ts";
import type { Held, HeldRule, List } from "./types.ts";

interface Case {
  list: List;
  held: Held | null;
  problem: string;
}

const shown = signal<Case | null>(null);
const close = (): void => void (shown.value = null);

export async function lookAtHeld(list: List): Promise<void> {
  shown.value = { list, held: null, problem: "" };
  const mine = () => shown.value?.list.id === list.id;
  try {
    for (;;) {
      const { held } = await heard(get<{ held: Held }>(`sinkhole/lists/${list.id}/held`));
      if (!mine()) return;
      shown.value = { list, held, problem: "" };
      if (held.compared) return;
      await new Promise((done) => setTimeout(done, 1000));
    }
  } catch (e) {
    if (mine()) shown.value = { list, held: null, problem: (e as Error).message };
  }
}

const decide = (l: List, word: "confirm" | "refuse"): Promise<unknown> =>
  act(() => call("POST", `sinkhole/lists/${l.id}/${word}`), {
    done: word === "confirm" ? "The update is taken." : "The update is dropped; the old content stays.",
    after: () => Promise.all([lists.load(), status.load()]),
  }).then((done) => done && close());

const kinds: Record<string, string> = {
  suffix: "a suffix under which anybody can have a name",
  popular: "one of the most-used names of the net",
  used: "asked for here daily, and allowed",
};

function Some({ title, all, rules }: { title: string; all: number; rules: HeldRule[] }) {
  if (all === 0) return null;
  return (
    <details>
      <summary>
        {title}: {count(all)}
      </summary>
      <ul class="examples">
        {rules.map((r, i) => (
          <li key={i}>
            <Name text={r.name} />
            {r.below && <span class="muted"> and all below it</span>}
            {r.type === "allow" && <span class="muted"> (allows)</span>}
          </li>
        ))}
        {all > rules.length && <li class="muted">and {count(all - rules.length)} more</li>}
      </ul>
    </details>
  );
}

function Words({ h }: { h: Held }) {
  return (
    <>
      <p class="warn">
        <Name text={h.reason} />
      </p>
      <p>
        <b>{count(h.rules)}</b> rules instead of <b>{count(h.rules_before)}</b>
        <span class="muted">, fetched {ago(h.fetched, now.value)}. The old content is in force until you decide.</span>
      </p>
      {h.names.length > 0 && (
        <ul class="examples">
          {h.names.map((n) => (
            <li key={n.name + n.kind}>
              would block{" "}
              <b>
                <Name text={n.name} />
              </b>
              {n.below && " and all below it"}: <span class="muted">{kinds[n.kind] ?? n.kind}</span>
            </li>
          ))}
        </ul>
      )}
      {h.compared ? (
        <>
          <Some title="Rules that come" all={h.added} rules={h.added_rules} />
          <Some title="Rules that go" all={h.removed} rules={h.removed_rules} />
        </>
      ) : (
        <p class="muted" role="status">
          Comparing…
        </p>
      )}
    </>
  );
}

export function HeldDialog() {
  const c = shown.value;
  return (
    <Modal open={c !== null} close={close} class="centre" id="held-title" title="An update that looks wrong">
      {c && (
        <div class="stack">
          <p class="muted small">
            <Name text={c.list.name || c.list.address} />
          </p>
          {c.problem !== "" && <p class="bad">Could not be read: {c.problem}.</p>}
          {c.held ? <Words h={c.held} /> : c.problem === "" && <Skeleton lines={3} />}
          <div class="buttons">
            <button type="button" onClick={() => void decide(c.list, "confirm")}>
              Take it
            </button>
            <button type="button" class="primary" onClick={() => void decide(c.list, "refuse")}>
              Keep the old one
            </button>
            <button type="button" class="quiet" onClick={close}>
              Decide later
            </button>
          </div>
        </div>
      )}
    </Modal>
  );
}
