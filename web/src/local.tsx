// Names of one's own network: addresses and aliases that are answered here.
import { useSignal } from "@preact/signals";
import { ApiError, call } from "./api.ts";
import { act, Choice, Field } from "./form.tsx";
import { tidyName } from "./names.ts";
import { Loaded, Name, Rows } from "./parts.tsx";
import { anyRecord, localRecords } from "./state.ts";
import type { LocalRecord, Processed } from "./types.ts";

const paths = { host: "config/dns/hosts", alias: "config/dns/cnameRecords", record: "sinkhole/records" };

/** As the server writes them: "192.0.2.7 nas.example", "alias,target[,ttl]", "home.arpa MX 10 mail.home.arpa". */
function itemOf(r: LocalRecord): string {
  if (r.item !== undefined) return r.item;
  if (r.kind === "host") return `${r.target} ${r.name}`;
  return r.kind === "alias" ? `${r.name},${r.target}` : `${r.name} ${r.type} ${r.target}`;
}

const pathOf = (r: LocalRecord): string => `${paths[r.kind]}/${encodeURIComponent(itemOf(r))}`;

async function post(record: string): Promise<void> {
  const { processed } = await call<{ processed: Processed }>("POST", paths.record, { record });
  const bad = processed.errors[0];
  if (bad !== undefined) throw new ApiError("refused", bad.error);
}

const add = (r: LocalRecord): Promise<boolean> =>
  act(() => (r.kind === "record" ? post(itemOf(r)) : call("PUT", pathOf(r))), {
    done: `Answered here from now on: ${r.name}`,
    failed: "Not added",
    undo: () => void remove(r),
    after: localRecords.load,
  });

const remove = (r: LocalRecord): Promise<boolean> =>
  act(() => call("DELETE", pathOf(r)), {
    done: `No longer answered here: ${r.name}`,
    undo: () => void add(r),
    after: localRecords.load,
  });

/** "" is what people add most: an address, or another name. */
const types: [string, string, string][] = [
  ["", "address or alias", "192.168.1.9, or another name"],
  ["TXT", "TXT", '"text"'],
  ["MX", "MX", "10 mail.home.arpa"],
  ["SRV", "SRV", "0 5 631 printer.home.arpa"],
  ["PTR", "PTR", "nas.home.arpa"],
  ["NS", "NS", "ns.home.arpa"],
];

function recordOf(name: string, type: string, value: string): LocalRecord {
  if (type !== "") return { kind: "record", name, type, target: value };
  const wild = name.startsWith("*."); // Pi-hole's forms have no wildcards
  const address = /^[0-9.]+$/.test(value) || value.includes(":");
  if (wild) return { kind: "record", name, type: !address ? "CNAME" : value.includes(":") ? "AAAA" : "A", target: value };
  return { kind: address ? "host" : "alias", name, target: address ? value : tidyName(value) };
}

function Add() {
  const name = useSignal("");
  const target = useSignal("");
  const type = useSignal("");
  const busy = useSignal(false);
  const submit = async (e: Event) => {
    e.preventDefault();
    busy.value = true;
    if (await add(recordOf(tidyName(name.value), type.value, target.value.trim()))) name.value = target.value = "";
    busy.value = false;
  };
  return (
    <form class="add" aria-label="Add a local name" onSubmit={(e) => void submit(e)}>
      <Field id="local-name" label="Name" of={name} required maxLength={260} placeholder="nas.home.arpa" />
      {anyRecord.value && (
        <Choice
          label="Kind of record"
          value={type.value}
          from={types.map(([t, words]) => [t, words])}
          set={(t) => void (type.value = t)}
        />
      )}
      <Field
        id="local-target"
        label="Its address, the name that it stands for, or the record's value"
        of={target}
        required
        maxLength={2000}
        placeholder={types.find(([t]) => t === type.value)?.[2]}
      />
      <button type="submit" disabled={busy.value}>
        Add
      </button>
    </form>
  );
}

export function Local() {
  return (
    <>
      <p class="note">Answered here, for devices of your own network.</p>
      <Add />
      <Loaded of={localRecords} lines={2} empty={(v) => v.length === 0 && <p>None yet.</p>}>
        {(v) => (
          <Rows name="Local names" heads={["Kind", "Name", "Answer", "Change"]}>
            {v.map((r) => (
              <tr key={itemOf(r)} role="row">
                <td role="cell">
                  <span class="tag">
                    {r.kind === "record" ? <Name text={r.type ?? ""} /> : r.kind === "host" ? "address" : "alias"}
                  </span>
                </td>
                <td role="cell" class="what">
                  <Name text={r.name} />
                </td>
                <td role="cell" class="muted">
                  <Name text={r.target} />
                </td>
                <td role="cell" class="buttons">
                  <button type="button" class="quiet" onClick={() => void remove(r)}>
                    Remove
                  </button>
                </td>
              </tr>
            ))}
          </Rows>
        )}
      </Loaded>
    </>
  );
}
