// Small pieces that all panels are made of.
import { signal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import type { Resource } from "./state.ts";
import { pieces } from "./text.ts";

/** Text from the network: isolated from its surroundings, wrapping anywhere, with unseen characters made visible. */
export function Name({ text, class: cls }: { text: string; class?: string }) {
  return (
    <bdi dir="ltr" class={"name" + (cls ? " " + cls : "")} translate={false}>
      {pieces(text).map((p) => (p.escaped ? <span class="esc">{p.text}</span> : p.text))}
    </bdi>
  );
}

interface PanelProps {
  id?: string;
  title: string;
  note?: ComponentChildren;
  aside?: ComponentChildren;
  class?: string;
  children: ComponentChildren;
}

/** A titled part of the page; note says in words which time its numbers cover. */
export function Panel({ id, title, note, aside, class: cls, children }: PanelProps) {
  const heading = `h-${id ?? title.toLowerCase().replace(/[^a-z]+/g, "-")}`;
  return (
    <section id={id} class={"panel" + (cls ? " " + cls : "")} aria-labelledby={heading}>
      <header class="panel-head">
        <div>
          <h2 id={heading}>{title}</h2>
          {note !== undefined && <p class="note">{note}</p>}
        </div>
        {aside}
      </header>
      {children}
    </section>
  );
}

export function Skeleton({ lines }: { lines: number }) {
  return (
    <div class="skeleton" role="status" aria-label="Loading">
      {Array.from({ length: lines }, (_, i) => (
        <span key={i} />
      ))}
    </div>
  );
}

/** A resource in each of its states: loading, failed, empty, there. Old data stays while a newer load fails. */
export function Loaded<T>({
  of,
  lines = 5,
  empty,
  children,
}: {
  of: Resource<T>;
  lines?: number;
  empty?: (v: T) => ComponentChildren | false;
  children: (v: T) => ComponentChildren;
}) {
  const v = of.data.value;
  const e = of.error.value;
  if (v === null && e === null) return <Skeleton lines={lines} />;
  if (v === null) {
    return (
      <div class="state">
        <p>{e?.kind === "offline" ? "Waiting for sinkhole to answer." : `Could not be read: ${e?.message ?? ""}.`}</p>
        <button type="button" onClick={() => void of.load()}>
          Try again
        </button>
      </div>
    );
  }
  const nothing = empty?.(v);
  return <>{nothing ? <div class="state">{nothing}</div> : children(v)}</>;
}

/** What stands over a column, with what it means where one word does not say it. */
export type Head = string | [words: string, title: string];

/** A table of things that can be changed: blocks on a phone, rows on wider screens. */
export function Rows({
  name,
  heads,
  class: cls,
  children,
}: {
  name: string;
  heads: Head[];
  class?: string;
  children: ComponentChildren;
}) {
  return (
    <table class={"rows " + (cls ?? "own")} role="table">
      <caption class="hidden">{name}</caption>
      <thead class={cls ? "" : "hidden"} role="rowgroup">
        <tr role="row">
          {heads.map((h) => {
            const [words, title] = typeof h === "string" ? [h] : h;
            return (
              <th key={words} role="columnheader" scope="col" title={title}>
                {words}
              </th>
            );
          })}
        </tr>
      </thead>
      <tbody role="rowgroup">{children}</tbody>
    </table>
  );
}

interface Toast {
  id: number;
  text: string;
  bad: boolean;
  undo?: () => void;
}

const toasts = signal<Toast[]>([]);
let toastId = 0;

export function toast(text: string, opt: { bad?: boolean; undo?: () => void } = {}): void {
  const t: Toast = { id: ++toastId, text, bad: opt.bad ?? false, undo: opt.undo };
  toasts.value = [...toasts.value.slice(-2), t];
  setTimeout(() => drop(t.id), t.undo || t.bad ? 10_000 : 5000);
}

function drop(id: number): void {
  toasts.value = toasts.value.filter((t) => t.id !== id);
}

/** One line at the foot of the page after something was done; read out by screen readers. */
export function Toasts() {
  return (
    <div class="toasts" role="status" aria-live="polite">
      {toasts.value.map((t) => (
        <div key={t.id} class={"toast" + (t.bad ? " bad" : "")}>
          <span>
            <Name text={t.text} />
          </span>
          {t.undo && (
            <button
              type="button"
              onClick={() => {
                drop(t.id);
                t.undo?.();
              }}
            >
              Undo
            </button>
          )}
          <button type="button" class="quiet" aria-label="Dismiss" onClick={() => drop(t.id)}>
            ×
          </button>
        </div>
      ))}
    </div>
  );
}
