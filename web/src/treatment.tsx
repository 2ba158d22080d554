// How a group is treated beyond its lists and rules, and pauses of groups and devices.
import { useSignal } from "@preact/signals";
import { call } from "./api.ts";
import { act, Checks, Choice, Field } from "./form.tsx";
import { clock, duration } from "./format.ts";
import { Name } from "./parts.tsx";
import { everybody } from "./policy.ts";
import { now, policy, policyAt, services } from "./state.ts";
import type { Pause, Treatment } from "./types.ts";
import { Kept, Week } from "./week.tsx";

export const treatmentOf = (id: number): Treatment | undefined => policy.data.value?.groups.find((g) => g.id === id);

type Change = Partial<{
  block_mode: string | null;
  safe_search: boolean | null;
  services: string[] | null;
  schedules: string[] | null;
  upstreams: string[] | null;
}>;

/** What was set here, without what the configuration adds behind it. */
const ownOf = (t: Treatment, what: keyof Treatment["file"]): string[] => t[what].slice(0, t[what].length - t.file[what].length);

const change = (t: Treatment, what: Change): Promise<boolean> =>
  act(() => call("PUT", `sinkhole/groups/${encodeURIComponent(t.name)}`, what), { after: policy.load });

const modes: [string, string][] = [
  ["null", "the address 0.0.0.0 or ::"],
  ["nxdomain", "no such name"],
  ["nodata", "no such record"],
  ["refused", "refused"],
];

type Safe = "" | "on" | "off";

/** Whom the group's questions go to. */
function Upstreams({ t }: { t: Treatment }) {
  const text = useSignal("");
  const own = ownOf(t, "upstreams");
  const set = (upstreams: string[]) => change(t, { upstreams });
  const add = async (e: Event) => {
    e.preventDefault();
    if (await set([...own, text.value.trim()])) text.value = "";
  };
  return (
    <section class="stack" aria-labelledby="h-upstreams-of">
      <h3 id="h-upstreams-of">Upstreams</h3>
      {t.upstreams.length === 0 && (
        <p class="muted small">{t.id === everybody ? "Those of the settings." : "None of its own: it asks those of everybody."}</p>
      )}
      {t.upstreams.length > 0 && (
        <ul class="times">
          {t.upstreams.map((u, i) => (
            <Kept key={u + i} text={u} fixed={i >= own.length} remove={() => void set(own.filter((_, j) => j !== i))}>
              <Name text={u} />
            </Kept>
          ))}
        </ul>
      )}
      <form class="line" aria-label="Add an upstream" onSubmit={(e) => void add(e)}>
        <Field
          id="group-upstream"
          label="Address of an upstream"
          of={text}
          required
          maxLength={300}
          placeholder="9.9.9.9, tls://name@address, https://…"
        />
        <button type="submit">Add</button>
      </form>
    </section>
  );
}

export function TreatmentParts({ t }: { t: Treatment }) {
  const usual = t.id === everybody ? "as in the settings" : "as for everybody";
  const mode = t.block_mode ?? "";
  const known = services.data.value?.services ?? [];
  const safe: Safe = t.safe_search === null ? "" : t.safe_search ? "on" : "off";
  const own: [string, string][] = modes.some(([m]) => m === mode) || mode === "" ? [] : [[mode, mode]];
  return (
    <>
      <Choice
        label="A blocked name gets"
        shown
        value={mode}
        from={[["", usual], ...modes, ...own]}
        set={(m) => void change(t, { block_mode: m || null })}
      />
      <Choice<Safe>
        label="Safe search"
        shown
        value={safe}
        from={[
          ["", usual],
          ["on", "on"],
          ["off", "off"],
        ]}
        set={(s) => void change(t, { safe_search: s === "" ? null : s === "on" })}
      />
      <Week t={t} own={ownOf(t, "schedules")} save={(schedules) => change(t, { schedules })} />
      <Upstreams key={t.name} t={t} />
      {known.length > 0 && (
        <details>
          <summary>Services that it blocks{t.services.length > 0 && `: ${t.services.length}`}</summary>
          <Checks
            legend="Services"
            from={known.map((s) => [s.id, s.title])}
            on={t.services}
            fixed={t.file.services}
            set={(id, on) => {
              const own = ownOf(t, "services");
              void change(t, { services: on ? [...own, id] : own.filter((x) => x !== id) });
            }}
          />
        </details>
      )}
    </>
  );
}

export interface Paused {
  group?: string;
  client?: string;
}

/** Seconds left of a pause as it was told, by our own clock. */
const left = (p: Pause): number | null => (p.timer === null ? null : p.timer - (now.value - policyAt.value));

const pauseOf = (w: Paused): Pause | undefined =>
  policy.data.value?.pauses.find(
    (p) => (w.group !== undefined ? p.group === w.group : p.client === w.client) && (left(p) ?? 1) > 0,
  );

const setPause = (w: Paused, name: string, timer: number | null, end = false): Promise<boolean> =>
  act(() => call("POST", "sinkhole/pause", { ...w, ...(end ? { blocking: true } : { timer }) }), {
    done: end ? `${name} is protected again.` : `Paused for ${name}${timer === null ? "" : `, for ${duration(timer)}`}.`,
    after: policy.load,
  });

const terms: [string, string][] = [
  ["", "Pause…"],
  ["300", "5 minutes"],
  ["1800", "30 minutes"],
  ["7200", "2 hours"],
  ["-", "until I resume"],
];

/** Pauses one group or device, or says for how long it is paused. */
export function PauseOne({ of, name }: { of: Paused; name: string }) {
  if (policy.absent.value || policy.data.value === null) return null;
  const p = pauseOf(of);
  if (!p) {
    const pick = (t: string) => void (t !== "" && setPause(of, name, t === "-" ? null : Number(t)));
    return <Choice label={`Pause protection of ${name}`} value="" from={terms} set={pick} />;
  }
  const seconds = left(p);
  return (
    <button type="button" class="paused" onClick={() => void setPause(of, name, null, true)}>
      Resume{seconds !== null && <small> {clock(seconds)}</small>}
    </button>
  );
}

/** What is out of the ordinary with a group at this moment. */
export function NowWords({ t }: { t: Treatment | undefined }) {
  if (!t || t.now === "as usual")
    return t?.schedule ? (
      <small class="muted block">
        now: <Name text={t.schedule} />
      </small>
    ) : null;
  return (
    <small class="warn block">
      {t.now === "blocks" ? "everything is blocked now" : "nothing is blocked now"}
      {t.schedule && (
        <>
          : <Name text={t.schedule} />
        </>
      )}
    </small>
  );
}
