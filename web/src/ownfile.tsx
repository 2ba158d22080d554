// Own rules in one piece: out as text or JSON, in from a file or what is pasted.
import { signal, useSignal } from "@preact/signals";
import { useRef } from "preact/hooks";
import { ApiError, call, get, text as getText } from "./api.ts";
import { download } from "./export.ts";
import { act, reason, Switch } from "./form.tsx";
import { count } from "./format.ts";
import { Modal } from "./modal.tsx";
import { Name, toast } from "./parts.tsx";
import { heard, rules } from "./state.ts";

interface BadLine {
  line: number;
  text: string;
  error: string;
}

interface Report {
  added: number;
  present: number;
  bad: number;
  errors: BadLine[];
}

const own = async (): Promise<unknown[]> => (await get<{ own: unknown[] }>("sinkhole/own")).own;

const save = (form: "text" | "json"): Promise<boolean> =>
  act(
    async () => {
      if (form === "text") download("rules.txt", "text/plain", await getText("sinkhole/own?format=text"));
      else download("rules.json", "application/json", JSON.stringify({ own: await own() }, null, 2) + "\n");
    },
    { failed: "Not saved" },
  );

/** What was pasted, as the server takes it: JSON as this page saves it, in a backup too, or a rule a line. */
export function importOf(pasted: string): { own: unknown[] } | { text: string } {
  try {
    const v = JSON.parse(pasted) as unknown;
    const found = Array.isArray(v) ? v : (v as { own?: unknown } | null)?.own;
    if (Array.isArray(found)) return { own: found as unknown[] };
  } catch {
    // then it is text
  }
  return { text: pasted };
}

const reportOf = (e: unknown): Report | null => {
  const r = e instanceof ApiError ? (e.body as Partial<Report> | null) : null;
  return Array.isArray(r?.errors) ? (r as Report) : null;
};

const open = signal(false);

function Errors({ of }: { of: Report }) {
  return (
    <div class="told" role="alert">
      <p>
        Nothing was changed: {count(of.bad)} {of.bad === 1 ? "line is" : "lines are"} no rule.
      </p>
      <ul class="examples">
        {of.errors.map((e) => (
          <li key={e.line}>
            {count(e.line)}: <Name text={e.text} />: <span class="muted">{e.error}</span>
          </li>
        ))}
        {of.bad > of.errors.length && <li class="muted">and {count(of.bad - of.errors.length)} more</li>}
      </ul>
    </div>
  );
}

function Form() {
  const pasted = useSignal("");
  const replace = useSignal(false);
  const bad = useSignal<Report | null>(null);
  const field = useRef<HTMLInputElement>(null);
  const chosen = async (e: Event & { currentTarget: HTMLInputElement }) => {
    const file = e.currentTarget.files?.[0];
    e.currentTarget.value = "";
    if (file) pasted.value = await file.text();
  };
  const submit = async (e: Event) => {
    e.preventDefault();
    try {
      const old = replace.value ? await heard(own()) : null;
      const r = await heard(call<Report>("POST", "sinkhole/own", { ...importOf(pasted.value), replace: replace.value }));
      const back = () => act(() => call("POST", "sinkhole/own", { own: old, replace: true }), { done: "As it was before.", after: rules.load });
      toast(
        `${count(r.added)} ${r.added === 1 ? "rule" : "rules"} imported${r.present > 0 ? `; ${count(r.present)} were there already` : ""}.`,
        old ? { undo: () => void back() } : {},
      );
      open.value = false;
    } catch (err) {
      bad.value = reportOf(err);
      if (!bad.value) toast(`Not imported: ${reason(err)}`, { bad: true });
    }
    void rules.load();
  };
  return (
    <form class="stack" onSubmit={(e) => void submit(e)}>
      <label for="import-text" class="muted small">
        A rule a line: <code>ads.example</code>, <code>allow *.ok.example</code>, <code>deny /^ad[0-9]+\./</code>; or JSON, as it is saved here.
      </label>
      <textarea
        id="import-text"
        rows={10}
        required
        spellcheck={false}
        autoCapitalize="none"
        value={pasted.value}
        onInput={(e) => {
          pasted.value = e.currentTarget.value;
          bad.value = null;
        }}
      />
      {bad.value && <Errors of={bad.value} />}
      <Switch label="Replace the rules that are there" shown on={replace.value} set={(on) => void (replace.value = on)} />
      <div class="buttons">
        <button type="submit" class="primary">
          Import
        </button>
        <button type="button" onClick={() => field.current?.click()}>
          From a file…
        </button>
        <button type="button" class="quiet" onClick={() => void (open.value = false)}>
          Cancel
        </button>
        <input
          ref={field}
          id="import-file"
          class="hidden"
          type="file"
          accept=".txt,.json,text/plain,application/json"
          tabIndex={-1}
          aria-label="File with rules"
          onChange={(e) => void chosen(e)}
        />
      </div>
    </form>
  );
}

/** The row of buttons below the rules. */
export function OwnFile() {
  return (
    <div class="buttons">
      <button type="button" class="quiet" onClick={() => void save("text")}>
        Save as text
      </button>
      <button type="button" class="quiet" onClick={() => void save("json")}>
        Save as JSON
      </button>
      <button type="button" class="quiet" onClick={() => void (open.value = true)}>
        Import…
      </button>
      <Modal open={open.value} close={() => void (open.value = false)} class="centre" id="import-title" title="Import rules">
        {open.value && <Form />}
      </Modal>
    </div>
  );
}
