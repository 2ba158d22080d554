// Names of one's own network: addresses and aliases that are answered here.
import { useSignal } from "@preact/signals";
import { call } from "./api.ts";
import { act, Field } from "./form.tsx";
import { tidyName } from "./names.ts";
import { Loaded, Name, Rows } from "./parts.tsx";
import { localRecords } from "./state.ts";
import type { LocalRecord } from "./types.ts";

/** As Pi-hole writes them: "192.0.2.7 nas.example" and "alias,target[,ttl]". */
const itemOf = (r: LocalRecord): string => (r.kind === "host" ? `${r.target} ${r.name}` : `${r.name},${r.target}`);
const pathOf = (r: LocalRecord): string =>
  `config/dns/${r.kind === "host" ? "hosts" : "cnameRecords"}/${encodeURIComponent(r.item ?? itemOf(r))}`;

const change = (method: "PUT" | "DELETE", r: LocalRecord, done: string, undo: () => void): Promise<boolean> =>
  act(() => call(method, pathOf(r)), { done, undo, after: localRecords.load });

const add = (r: LocalRecord): Promise<boolean> => change("PUT", r, `Answered here from now on: ${r.name}`, () => void remove(r));
const remove = (r: LocalRecord): Promise<boolean> => change("DELETE", r, `No longer answered here: ${r.name}`, () => void add(r));

function Add() {
  const name = useSignal("");
  const target = useSignal("");
  const busy = useSignal(false);
  const submit = async (e: Event) => {
    e.preventDefault();
    const to = target.value.trim();
    const address = /^[0-9.]+$/.test(to) || to.includes(":");
    busy.value = true;
    if (await add({ kind: address ? "host" : "alias", name: tidyName(name.value), target: address ? to : tidyName(to) }))
      name.value = target.value = "";
    busy.value = false;
  };
  return (
    <form class="add" aria-label="Add a local name" onSubmit={(e) => void submit(e)}>
      <Field id="local-name" label="Name" of={name} required maxLength={260} placeholder="nas.home.arpa" />
      <Field
        id="local-target"
        label="Address, or the name that it stands for"
        of={target}
        required
        maxLength={260}
        placeholder="192.168.1.9, or another name"
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
                  <span class="tag">{r.kind === "host" ? "address" : "alias"}</span>
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
