// Options of the configuration that a person may set from here; each says what it is for, what it may be and where it comes from.
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { call } from "./api.ts";
import { act, Choice, Field, Switch } from "./form.tsx";
import { Loaded } from "./parts.tsx";
import { settings } from "./state.ts";
import type { Option } from "./types.ts";

/** Options that have a better place on this page. */
const elsewhere = new Set(["record", "block-service", "safe-search", "safe-search-youtube"]);

const first = "Blocking"; // the section that people come for

/** What stands above what is set here. */
const above = new Set<Option["source"]>(["environment", "command line"]);

const put = (values: Record<string, string | null>): Promise<unknown> => call("PUT", "sinkhole/settings", { settings: values });

/** Sets an option, or with null takes it back; what it was before can be had again. */
function set(o: Option, value: string | null): Promise<boolean> {
  const before = settings.data.value?.settings[o.name] ?? null;
  const now = value === null ? "is as it was configured" : `is ${value}`;
  return act(() => put({ [o.name]: value }), {
    done: `${title(o)} ${now}${o.live ? "." : " from the next start."}`,
    undo: () => void act(() => put({ [o.name]: before }), { after: settings.load }),
    after: settings.load,
  });
}

/** "block-ttl" as a person would write it. */
function title(o: Option): string {
  const words = o.name.replace(/-/g, " ").replace(/\b(ttl|tcp|http|cname|dns64)\b/g, (w) => w.toUpperCase());
  return words.charAt(0).toUpperCase() + words.slice(1).replace("icloud", "iCloud");
}

const modes: [string, string][] = [
  ["null", "the address 0.0.0.0 or ::"],
  ["nxdomain", "no such name"],
  ["nodata", "no such record"],
  ["refused", "refused"],
  ["", "addresses of my own"],
];

/** What kind of answer, and for one of them which addresses. */
function BlockMode({ o }: { o: Option }) {
  const value = o.value[0] ?? "null";
  const own = useSignal(modes.every(([m]) => m !== value));
  const pick = (m: string) => {
    own.value = m === "";
    if (m !== "") void set(o, m);
  };
  return (
    <>
      <Choice label={title(o)} value={own.value ? "" : value} from={modes} set={pick} />
      {own.value && <Line o={o} placeholder="192.0.2.1,2001:db8::1" />}
    </>
  );
}

/** A value as text; several are separated by blanks. */
function Line({ o, placeholder }: { o: Option; placeholder?: string }) {
  const value = o.value.join(" ");
  const text = useSignal(modes.some(([m]) => m === value) && o.type === "block-mode" ? "" : value);
  const submit = (e: Event) => {
    e.preventDefault();
    void set(o, text.value.trim());
  };
  return (
    <form class="line" onSubmit={submit}>
      <Field id={"set-" + o.name} label={title(o)} of={text} maxLength={2000} placeholder={placeholder ?? o.words} />
      {text.value.trim() !== value && <button type="submit">Set</button>}
    </form>
  );
}

function Control({ o }: { o: Option }) {
  const value = o.value[0] ?? "";
  if (above.has(o.source)) return <code>{o.value.join(" ") || o.words || "none"}</code>;
  if (o.type === "bool") return <Switch label={title(o)} on={value === "on"} set={(on) => void set(o, on ? "on" : "off")} />;
  if (o.type === "block-mode") return <BlockMode o={o} />;
  if (o.type === "word") {
    const words = o.words.split("|").map((w): [string, string] => [w, w]);
    return <Choice label={title(o)} value={value} from={words} set={(v) => void set(o, v)} />;
  }
  return <Line o={o} />;
}

function Row({ o }: { o: Option }) {
  return (
    <div class={"option " + o.type} id={"option-" + o.name}>
      <div>
        <h4>{title(o)}</h4>
        <p class="muted small">
          {o.help}
          {o.type !== "bool" && o.type !== "word" && o.type !== "block-mode" && <> Expected: {o.expected}.</>}
          {!o.live && " Takes effect at the next start."}
        </p>
      </div>
      <div class="control">
        <Control key={o.value.join(" ")} o={o} />
        {o.source === "rules" && (
          <button type="button" class="quiet" onClick={() => void set(o, null)}>
            Take back
          </button>
        )}
        <small class="muted block">{sourceWords(o)}</small>
      </div>
    </div>
  );
}

function sourceWords(o: Option): string {
  if (o.source === "rules") return "set here";
  if (o.source === "file") return "from the configuration file";
  return above.has(o.source) ? `set by the ${o.source}, which stands above this page` : "";
}

export function SettingsTab() {
  useEffect(() => void settings.load(), []);
  return (
    <Loaded of={settings} lines={6} empty={(s) => s.options.length === 0 && <p>This machine does not tell its options.</p>}>
      {(s) => {
        const shown = s.options.filter((o) => !elsewhere.has(o.name));
        const sections = [...new Set([first, ...shown.map((o) => o.section)])];
        return sections.map((name) => {
          const rows = shown.filter((o) => o.section === name);
          const changed = rows.filter((o) => o.source === "rules").length;
          return (
            <details key={name} class="section" open={name === first}>
              <summary>
                <h3>{name}</h3>
                <span class="muted small">
                  {rows.length} {rows.length === 1 ? "option" : "options"}
                  {changed > 0 && `, ${changed} set here`}
                </span>
              </summary>
              {rows.map((o) => (
                <Row key={o.name} o={o} />
              ))}
            </details>
          );
        });
      }}
    </Loaded>
  );
}
