// Backup, restore and the password.
import { useSignal } from "@preact/signals";
import { useRef } from "preact/hooks";
import { ApiError, call, get } from "./api.ts";
import { download } from "./export.ts";
import { Panel, toast } from "./parts.tsx";
import { features, hasPassword, heard, loadAll } from "./state.ts";

async function backup(): Promise<void> {
  try {
    const { took: _took, ...rules } = await heard(get<Record<string, unknown>>("sinkhole/rules"));
    const day = new Date().toISOString().slice(0, 10);
    download(`sinkhole-${day}.json`, "application/json", JSON.stringify(rules, null, 2) + "\n");
  } catch (e) {
    toast(`No backup: ${(e as Error).message}`, { bad: true });
  }
}

/** The reason of a refusal with what the server found in the document, when it says so. */
function reason(e: unknown): string {
  return e instanceof ApiError && e.hint ? `${e.message}: ${e.hint}` : (e as Error).message;
}

async function restore(file: File): Promise<void> {
  try {
    const before = await heard(get<Record<string, unknown>>("sinkhole/rules"));
    let document: unknown;
    try {
      document = JSON.parse(await file.text());
    } catch {
      throw new ApiError("refused", "the file is not JSON");
    }
    await heard(call("PUT", "sinkhole/rules", document));
    const { took: _took, ...old } = before;
    const undo = () => void heard(call("PUT", "sinkhole/rules", old)).then(loadAll);
    toast(`Restored from ${file.name}.`, { undo });
    await loadAll();
  } catch (e) {
    toast(`Not restored: ${reason(e)}`, { bad: true });
  }
}

function Backup() {
  const field = useRef<HTMLInputElement>(null);
  const chosen = (e: Event & { currentTarget: HTMLInputElement }) => {
    const file = e.currentTarget.files?.[0];
    if (file) void restore(file);
    e.currentTarget.value = "";
  };
  return (
    <div class="keep">
      <h3>Backup</h3>
      <p class="muted">
        All that was decided here in one file: rules, lists, local names, settings. Restoring replaces what there is now.
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
    </div>
  );
}

function Password() {
  const word = useSignal("");
  const again = useSignal("");
  const busy = useSignal(false);
  const submit = async (e: Event) => {
    e.preventDefault();
    if (word.value !== again.value) {
      toast("The two are not the same.", { bad: true });
      return;
    }
    busy.value = true;
    try {
      await heard(call("PUT", "sinkhole/password", { password: word.value }));
      word.value = again.value = "";
      toast("The password is changed. Other browsers and apps must log in again.");
    } catch (err) {
      toast(`Not changed: ${reason(err)}`, { bad: true });
    }
    busy.value = false;
  };
  return (
    <form class="keep" aria-label="Change the password" onSubmit={(e) => void submit(e)}>
      <h3>Password</h3>
      <input
        class="hidden"
        type="text"
        name="username"
        autoComplete="username"
        value="sinkhole"
        readOnly
        tabIndex={-1}
        aria-hidden="true"
      />
      <label class="hidden" for="new-password">
        New password
      </label>
      <input
        id="new-password"
        type="password"
        required
        minLength={8}
        maxLength={1024}
        autoComplete="new-password"
        placeholder="New password, 8 characters or more"
        value={word.value}
        onInput={(e) => void (word.value = e.currentTarget.value)}
      />
      <label class="hidden" for="new-password-again">
        The new password again
      </label>
      <input
        id="new-password-again"
        type="password"
        required
        autoComplete="new-password"
        placeholder="Again"
        value={again.value}
        onInput={(e) => void (again.value = e.currentTarget.value)}
      />
      <div class="buttons">
        <button type="submit" disabled={busy.value}>
          Change password
        </button>
      </div>
    </form>
  );
}

export function Keep() {
  if (!features.value.has("owner")) return null;
  return (
    <Panel id="keep" title="Backup and password">
      <div class="halves">
        <Backup />
        {hasPassword.value && <Password />}
      </div>
    </Panel>
  );
}
