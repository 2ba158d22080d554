// Backup and restore: the rules document, out and in.
import { useRef } from "preact/hooks";
import { ApiError, call, get } from "./api.ts";
import { download } from "./export.ts";
import { act } from "./form.tsx";
import { loadAll } from "./state.ts";
import { Stored } from "./stored.tsx";

type Document = Record<string, unknown>;

async function current(): Promise<Document> {
  const { took: _took, ...rules } = await get<Document>("sinkhole/rules");
  return rules;
}

const backup = (): Promise<boolean> =>
  act(
    async () => {
      const text = JSON.stringify(await current(), null, 2) + "\n";
      download(`sinkhole-${new Date().toISOString().slice(0, 10)}.json`, "application/json", text);
    },
    { failed: "No backup" },
  );

async function parsed(file: File): Promise<unknown> {
  try {
    return JSON.parse(await file.text());
  } catch {
    throw new ApiError("refused", "the file is not JSON");
  }
}

const put = (document: unknown): Promise<unknown> => call("PUT", "sinkhole/rules", document);

async function restore(file: File): Promise<void> {
  let old: Document = {};
  await act(
    async () => {
      old = await current();
      await put(await parsed(file));
    },
    {
      done: `Restored from ${file.name}.`,
      failed: "Not restored",
      undo: () => void act(() => put(old), { done: "As it was before.", after: loadAll }),
      after: loadAll,
    },
  );
}

export function Backup() {
  const field = useRef<HTMLInputElement>(null);
  const chosen = (e: Event & { currentTarget: HTMLInputElement }) => {
    const file = e.currentTarget.files?.[0];
    if (file) void restore(file);
    e.currentTarget.value = "";
  };
  return (
    <div class="halves">
      <section class="stack" aria-labelledby="h-backup">
        <h3 id="h-backup">Backup</h3>
        <p class="muted">
          All that was decided here in one file: rules, lists, devices, groups, local names, settings. No passwords and no queries
          are in it. Restoring replaces what there is now.
        </p>
        <div class="buttons">
          <button type="button" onClick={() => void backup()}>
            Save a backup
          </button>
          <button type="button" onClick={() => field.current?.click()}>
            Restore…
          </button>
          <input
            ref={field}
            id="restore"
            class="hidden"
            type="file"
            accept=".json,application/json"
            tabIndex={-1}
            aria-label="Backup file"
            onChange={chosen}
          />
        </div>
      </section>
      <Stored />
    </div>
  );
}
