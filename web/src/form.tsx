// What forms are made of: fields bound to signals, and one way to do a thing and say how it went.
import type { Signal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { ApiError } from "./api.ts";
import { Name, toast } from "./parts.tsx";
import { heard } from "./state.ts";

/** The reason of a refusal with what the server found, when it says so. */
export function reason(e: unknown): string {
  return e instanceof ApiError && e.hint ? `${e.message}: ${e.hint}` : (e as Error).message;
}

export interface Said {
  done?: string; // said when it went well
  failed?: string; // what a refusal begins with
  undo?: () => void;
  after?: () => unknown; // in any case, to read anew what may have changed
}

/** Does it and says how it went; true when it is done. */
export async function act(what: () => Promise<unknown>, said: Said = {}): Promise<boolean> {
  try {
    await heard(what());
    if (said.done !== undefined) toast(said.done, said.undo ? { undo: said.undo } : {});
    return true;
  } catch (e) {
    toast(`${said.failed ?? "Not changed"}: ${reason(e)}`, { bad: true });
    return false;
  } finally {
    void said.after?.();
  }
}

interface FieldProps {
  id: string;
  label: string;
  of: Signal<string>;
  shown?: boolean; // the label is seen, not only heard
  hint?: ComponentChildren;
  type?: "text" | "password" | "date" | "time" | "number";
  placeholder?: string;
  required?: boolean;
  maxLength?: number;
  minLength?: number;
  pattern?: string;
  inputMode?: "url" | "numeric" | "text";
  autoComplete?: string;
  list?: string;
}

/** One line of text. Names, addresses and patterns are not prose: nothing completes, corrects or capitalises them. */
export function Field({ id, label, of, shown = false, hint, type = "text", autoComplete = "off", ...rest }: FieldProps) {
  return (
    <div class={shown ? "field" : "field bare"}>
      <label class={shown ? "" : "hidden"} for={id}>
        {label}
      </label>
      <input
        id={id}
        type={type as "text"} // the types of all of them in one would be none
        autoComplete={autoComplete}
        autoCapitalize="none"
        spellcheck={false}
        value={of.value}
        aria-describedby={hint !== undefined ? id + "-hint" : undefined}
        onInput={(e) => void (of.value = e.currentTarget.value)}
        {...rest}
      />
      {hint !== undefined && (
        <p id={id + "-hint"} class="muted small">
          {hint}
        </p>
      )}
    </div>
  );
}

interface ChoiceProps<T extends string> {
  label: string;
  value: T;
  from: readonly (readonly [T, string])[];
  set: (v: T) => void;
  shown?: boolean;
  disabled?: boolean;
}

/** One of a few. */
export function Choice<T extends string>({ label, value, from, set, shown = false, disabled }: ChoiceProps<T>) {
  return (
    <label class={"select" + (shown ? " labelled" : "")}>
      <span class={shown ? "" : "hidden"}>{label}</span>
      <span class="pick">
        <select value={value} disabled={disabled} onChange={(e) => set(e.currentTarget.value as T)}>
          {from.map(([v, words]) => (
            <option key={v} value={v}>
              {words}
            </option>
          ))}
        </select>
      </span>
    </label>
  );
}

/** On or off, at once. */
export function Switch({
  label,
  on,
  set,
  shown = false,
  disabled,
}: {
  label: string;
  on: boolean;
  set: (on: boolean) => void;
  shown?: boolean;
  disabled?: boolean;
}) {
  return (
    <label class="switch">
      <input type="checkbox" role="switch" checked={on} disabled={disabled} onChange={(e) => set(e.currentTarget.checked)} />
      <span class={shown ? "" : "hidden"}>{label}</span>
    </label>
  );
}

interface ChecksProps<T extends string | number> {
  legend: string;
  from: readonly (readonly [T, string])[];
  on: readonly T[];
  fixed?: readonly T[]; // of them, those that cannot be taken away here
  set: (v: T, on: boolean) => void;
}

/** Any number of some. */
export function Checks<T extends string | number>({ legend, from, on, fixed = [], set }: ChecksProps<T>) {
  return (
    <fieldset class="checks">
      <legend>{legend}</legend>
      {from.map(([v, words]) => (
        <label key={v}>
          <input
            type="checkbox"
            checked={on.includes(v)}
            disabled={fixed.includes(v)}
            onChange={(e) => set(v, e.currentTarget.checked)}
          />
          <Name text={words} />
          {fixed.includes(v) && <small class="muted">by the configuration file</small>}
        </label>
      ))}
    </fieldset>
  );
}

/** The foot of a form in a dialog. */
export function SaveOr({ cancel }: { cancel: () => void }) {
  return (
    <div class="buttons">
      <button type="submit" class="primary">
        Save
      </button>
      <button type="button" onClick={cancel}>
        Cancel
      </button>
    </div>
  );
}
