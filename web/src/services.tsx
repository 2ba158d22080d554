// Services that are blocked as a whole by one switch, and safe search.
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { call } from "./api.ts";
import { act, Choice, Field, Switch } from "./form.tsx";
import { count } from "./format.ts";
import { Loaded, Name } from "./parts.tsx";
import { services, settings } from "./state.ts";
import type { SafeSearch, Service } from "./types.ts";

const reload = (): Promise<unknown> => Promise.all([services.load(), settings.load()]);

const switchService = (s: Service, blocked: boolean): Promise<boolean> =>
  act(() => call("PUT", `sinkhole/services/${encodeURIComponent(s.id)}`, { blocked }), {
    done: blocked ? `${s.title} is blocked for everybody.` : `${s.title} is no longer blocked.`,
    undo: () => void switchService(s, !blocked),
    after: reload,
  });

const set = (name: string, value: string, done: string): Promise<boolean> =>
  act(() => call("PUT", "sinkhole/settings", { settings: { [name]: value } }), { done, after: reload });

const youtube: [string, string][] = [
  ["strict", "YouTube strict"],
  ["moderate", "YouTube moderate"],
  ["off", "YouTube as it is"],
];

function Safe({ s }: { s: SafeSearch }) {
  const tube = settings.data.value?.options.find((o) => o.name === "safe-search-youtube")?.value[0];
  return (
    <section class="stack" aria-labelledby="h-safe">
      <h3 id="h-safe">Safe search</h3>
      <p class="muted small">
        Search engines are answered with their addresses that leave adult results out, for everybody:{" "}
        <Name text={s.engines.map((e) => e.id).join(", ")} />.
      </p>
      <div class="buttons">
        <Switch
          label="Safe search"
          shown
          on={s.on}
          set={(on) => void set("safe-search", on ? "on" : "off", `Safe search is ${on ? "on" : "off"}.`)}
        />
        {s.on && tube !== undefined && (
          <Choice
            label="YouTube"
            value={tube}
            from={youtube}
            set={(v) => void set("safe-search-youtube", v, `${youtube.find(([w]) => w === v)?.[1]}.`)}
          />
        )}
      </div>
    </section>
  );
}

function All({ of }: { of: Service[] }) {
  const text = useSignal("");
  const word = text.value.trim().toLowerCase();
  const shown = of.filter((s) => s.title.toLowerCase().includes(word) || s.id.includes(word));
  return (
    <section class="stack" aria-labelledby="h-services">
      <h3 id="h-services">Block a whole service</h3>
      <p class="muted small">
        With all names that it is known to use, for everybody.{" "}
        {of.some((s) => s.blocked) ? `${of.filter((s) => s.blocked).length} of ${of.length} are blocked.` : "None is blocked."}
      </p>
      {of.length > 12 && (
        <Field id="service-search" label="Find a service" of={text} placeholder="Find a service" maxLength={60} />
      )}
      <ul class="services">
        {shown.map((s) => (
          <li key={s.id}>
            <Switch label={`Block ${s.title}`} on={s.blocked} set={(on) => void switchService(s, on)} />
            <span>
              <Name text={s.title} />
              <small class="muted block">
                {count(s.names)} {s.names === 1 ? "name" : "names"}
              </small>
            </span>
          </li>
        ))}
      </ul>
      {shown.length === 0 && <p class="muted">No service is called so.</p>}
    </section>
  );
}

export function Services() {
  useEffect(() => void reload(), []);
  return (
    <Loaded of={services} lines={4} empty={(v) => v.services.length === 0 && <p>This machine knows no services.</p>}>
      {(v) => (
        <div class="stack parts">
          <Safe s={v.safe_search} />
          <All of={v.services} />
        </div>
      )}
    </Loaded>
  );
}
