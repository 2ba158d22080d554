// The filters of the query log: a search, and a chip for each part that is set.
import { useRef } from "preact/hooks";
import { isFiltered, noFilter, type Show } from "./filter.ts";
import { Choice } from "./form.tsx";
import { between } from "./format.ts";
import { filter, setFilter } from "./log.ts";
import { Name } from "./parts.tsx";
import { deviceName } from "./policy.ts";
import { brushed, now, topClients } from "./state.ts";
import { visible } from "./text.ts";

const shows: [Show, string][] = [
  ["", "All"],
  ["blocked", "Blocked"],
  ["allowed", "Allowed"],
  ["forwarded", "Forwarded"],
  ["cached", "From cache"],
];
const commonTypes = ["A", "AAAA", "HTTPS", "PTR", "TXT", "SRV", "MX", "NS", "SOA", "CNAME"];

/** A part of the filter that is set; a press takes it away. */
function Chip({ label, text, clear }: { label: string; text: string; clear: () => void }) {
  return (
    <button type="button" class="chip" aria-label={`${label}: ${visible(text)}. Remove`} onClick={clear}>
      <small>{label}</small> <Name text={text} /> <span aria-hidden="true">×</span>
    </button>
  );
}

/** What a device is called by what the page knows, its address otherwise. */
const clientWords = (ip: string): string => topClients.data.value?.find((c) => c.ip === ip)?.name || deviceName(ip);

export function Filters() {
  const f = filter.value;
  const input = useRef<HTMLInputElement>(null);
  const clients = topClients.data.value ?? [];
  const types: [string, string][] = [["", "Any type"], ...commonTypes.map((t): [string, string] => [t, t])];
  const devices: [string, string][] = [
    ["", "Any device"],
    ...clients.map((c): [string, string] => [c.ip, visible(c.name || c.ip)]),
  ];
  return (
    <form
      class="filters"
      role="search"
      aria-label="Filter the query log"
      onSubmit={(e) => {
        e.preventDefault();
        input.current?.blur();
      }}
    >
      <div class="search">
        <label class="hidden" for="search">
          Part of a name; words with a minus are left out
        </label>
        <input
          ref={input}
          id="search"
          type="search"
          value={f.text}
          placeholder="Part of a name, -without"
          maxLength={500}
          autoComplete="off"
          autoCapitalize="none"
          spellcheck={false}
          aria-keyshortcuts="/"
          enterKeyHint="search"
          onInput={(e) => setFilter({ text: e.currentTarget.value })}
          onKeyDown={(e) => {
            if (e.key === "Escape") {
              setFilter({ text: "" });
              e.currentTarget.blur();
            }
          }}
        />
        <kbd aria-hidden="true">/</kbd>
      </div>
      <div class="segments" role="group" aria-label="Outcome">
        {shows.map(([s, word]) => (
          <button key={s} type="button" aria-pressed={f.show === s} onClick={() => setFilter({ show: s })}>
            {word}
          </button>
        ))}
      </div>
      {f.client !== "" ? (
        <Chip label="Device" text={clientWords(f.client)} clear={() => setFilter({ client: "" })} />
      ) : (
        <Choice label="Device" value="" from={devices} set={(client) => setFilter({ client })} />
      )}
      {f.type !== "" ? (
        <Chip label="Type" text={f.type} clear={() => setFilter({ type: "" })} />
      ) : (
        <Choice label="Record type" value="" from={types} set={(type) => setFilter({ type })} />
      )}
      {f.from !== 0 && <Chip label="Time" text={between(f.from, f.until, now.value)} clear={() => void (brushed.value = null)} />}
      {isFiltered(f) && (
        <button type="button" class="quiet" onClick={() => void (filter.value = noFilter)}>
          Clear
        </button>
      )}
    </form>
  );
}
