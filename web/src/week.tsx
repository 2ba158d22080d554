// The weekly times of a group, and the form that makes them.
import { useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { Checks, Choice, Field } from "./form.tsx";
import { Name, toast } from "./parts.tsx";
import { everybody } from "./policy.ts";
import { dayNames, dayWords, formatSchedule, parseSchedule, type Action, type Schedule } from "./schedule.ts";
import { lists, services } from "./state.ts";
import type { List, Treatment } from "./types.ts";

const actions: [Action, string][] = [
  ["block", "block everything that is not allowed"],
  ["services", "block services"],
  ["lists", "use some of its lists, as at no other time"],
  ["pause", "block nothing"],
];

const actionWords: Record<Action, string> = {
  block: "blocks everything that is not allowed",
  pause: "blocks nothing",
  services: "blocks",
  lists: "uses, as at no other time,",
};

/** What a schedule names, as people call it. */
function whatWords(s: Schedule): string {
  const called = (w: string): string =>
    s.action === "services"
      ? (services.data.value?.services.find((x) => x.id === w)?.title ?? w)
      : (lists.data.value?.find((l) => l.address === w)?.name ?? w);
  return s.what.map(called).join(", ");
}

function Words({ text }: { text: string }) {
  const s = parseSchedule(text);
  if (!s) return <Name text={text} />;
  return (
    <>
      <b>
        {dayWords(s.days)}, {s.from} to {s.to}
      </b>
      {s.to <= s.from && <span class="muted"> of the next day</span>}{" "}
      <span class="muted">
        {actionWords[s.action]} <Name text={whatWords(s)} />
      </span>
    </>
  );
}

const listIsOf = (l: List, t: Treatment): boolean => (l.groups ?? [everybody]).includes(t.id);

const days: [number, string][] = dayNames.map((d, i) => [i, d.charAt(0).toUpperCase() + d.slice(1)]);

function Add({ t, add }: { t: Treatment; add: (text: string) => Promise<boolean> }) {
  const on = useSignal([0, 1, 2, 3, 6]); // the evenings before school
  const from = useSignal("21:00");
  const to = useSignal("06:30");
  const action = useSignal<Action>("block");
  const what = useSignal<string[]>([]);
  const things: Partial<Record<Action, [string, string][]>> = {
    services: (services.data.value?.services ?? []).map((s) => [s.id, s.title]),
    lists: (lists.data.value ?? []).filter((l) => listIsOf(l, t)).map((l) => [l.address, l.name || l.address]),
  };
  const some = things[action.value];
  const submit = async (e: Event) => {
    e.preventDefault();
    if (on.value.length === 0) return toast("Pick at least one day.", { bad: true });
    if (some && what.value.length === 0) return toast(`Pick at least one of the ${action.value}.`, { bad: true });
    const s: Schedule = {
      days: dayNames.map((_, i) => on.value.includes(i)),
      from: from.value,
      to: to.value,
      action: action.value,
      what: some ? what.value : [],
    };
    if (await add(formatSchedule(s))) what.value = [];
  };
  const toggled = <T,>(all: T[], v: T, yes: boolean): T[] => (yes ? [...all, v] : all.filter((x) => x !== v));
  return (
    <details>
      <summary>Add a weekly time</summary>
      <form class="stack week" aria-label="Add a weekly time" onSubmit={(e) => void submit(e)}>
        <Checks legend="It begins on" from={days} on={on.value} set={(d, yes) => void (on.value = toggled(on.value, d, yes))} />
        <div class="buttons">
          <Field id="week-from" label="From" shown of={from} type="time" required />
          <Field id="week-to" label="To" shown of={to} type="time" required />
        </div>
        <Choice
          label="Then"
          shown
          value={action.value}
          from={actions.filter(([a]) => things[a]?.length !== 0)}
          set={(a) => {
            action.value = a;
            what.value = [];
          }}
        />
        {some && (
          <Checks
            legend={action.value === "lists" ? "Lists, of those that the group has" : "Services"}
            from={some}
            on={what.value}
            set={(id, yes) => void (what.value = toggled(what.value, id, yes))}
          />
        )}
        <button type="submit">Add this time</button>
      </form>
    </details>
  );
}

/** One of some values, with a way to take it away unless it stands in the configuration. */
export function Kept({
  text,
  fixed,
  remove,
  children,
}: {
  text: string;
  fixed: boolean;
  remove: () => void;
  children: ComponentChildren;
}) {
  return (
    <li>
      <span>{children}</span>
      {fixed ? (
        <small class="muted">by the configuration file</small>
      ) : (
        <button type="button" class="quiet" aria-label={`Remove ${text}`} onClick={remove}>
          Remove
        </button>
      )}
    </li>
  );
}

/** `own`: those that were set here, as the server writes them; `save` takes all of them again. */
export function Week({ t, own, save }: { t: Treatment; own: string[]; save: (own: string[]) => Promise<boolean> }) {
  const all = t.schedules;
  return (
    <section class="stack" aria-labelledby="h-week">
      <h3 id="h-week">Weekly times</h3>
      {all.length === 0 && <p class="muted small">None: it is treated the same at all times.</p>}
      {all.length > 0 && (
        <ul class="times">
          {all.map((text, i) => (
            <Kept key={text + i} text={text} fixed={i >= own.length} remove={() => void save(own.filter((_, j) => j !== i))}>
              <Words text={text} />
            </Kept>
          ))}
        </ul>
      )}
      <Add t={t} add={(text) => save([...own, text])} />
    </section>
  );
}
