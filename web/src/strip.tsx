// The status strip: is it protecting, until when not, and is the machinery well.
import type { ComponentChildren } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { ago, clock, count, duration, latency, octets, windowWords } from "./format.ts";
import { toast } from "./parts.tsx";
import { blocking, loadAll, now, offlineSince, resumesAt, setBlocking, sinceStatus, status, summary } from "./state.ts";

const pauses: [string, number | null][] = [
  ["5 minutes", 300],
  ["30 minutes", 1800],
  ["2 hours", 7200],
  ["until I resume", null],
];

async function change(on: boolean, timer: number | null): Promise<void> {
  try {
    await setBlocking(on, timer);
    toast(on ? "Protection is on." : timer === null ? "Paused until you resume it." : `Paused for ${duration(timer)}.`);
  } catch (e) {
    toast(`Not changed: ${(e as Error).message}`, { bad: true });
  }
}

function PauseMenu() {
  const [open, setOpen] = useState(false);
  const box = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    if (!open) return;
    box.current?.querySelector<HTMLButtonElement>(".menu button")?.focus();
    const away = (e: Event) => {
      if (!box.current?.contains(e.target as Node)) setOpen(false);
    };
    document.addEventListener("pointerdown", away);
    document.addEventListener("focusin", away);
    return () => {
      document.removeEventListener("pointerdown", away);
      document.removeEventListener("focusin", away);
    };
  }, [open]);

  const keys = (e: KeyboardEvent) => {
    const items = [...(box.current?.querySelectorAll<HTMLButtonElement>(".menu button") ?? [])];
    const at = items.indexOf(document.activeElement as HTMLButtonElement);
    const step = e.key === "ArrowDown" ? 1 : e.key === "ArrowUp" ? -1 : 0;
    if (e.key === "Escape" && open) {
      setOpen(false);
      box.current?.querySelector<HTMLButtonElement>("button")?.focus();
    }
    if (step !== 0 && open) {
      e.preventDefault();
      items[(at + step + items.length) % items.length]?.focus();
    }
  };

  return (
    <div class="pause" ref={box} onKeyDown={keys}>
      <button
        type="button"
        id="pause"
        aria-haspopup="menu"
        aria-expanded={open}
        aria-keyshortcuts="p"
        onClick={() => setOpen(!open)}
      >
        Pause…
      </button>
      {open && (
        <div class="menu" role="menu" aria-label="Pause protection for">
          {pauses.map(([words, timer]) => (
            <button
              key={words}
              type="button"
              role="menuitem"
              onClick={() => {
                setOpen(false);
                void change(false, timer);
              }}
            >
              {words}
            </button>
          ))}
        </div>
      )}
    </div>
  );
}

function Fact({ name, children }: { name: string; children: ComponentChildren }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

function Facts() {
  const st = status.data.value;
  const su = summary.data.value;
  const rules = st?.lists?.rules ?? su?.gravity.domains_being_blocked;
  const updated = st?.lists?.updated ?? su?.gravity.last_update;
  const l = st?.lists;
  const up = st?.upstream;
  return (
    <dl class="facts">
      {rules !== undefined && (
        <Fact name="Rules">
          {count(rules)}
          <small>
            {l && (
              <>
                from {l.count} {l.count === 1 ? "list" : "lists"},{" "}
              </>
            )}
            {l?.updating ? "updating now" : updated ? `updated ${ago(updated, now.value)}` : "never updated"}
            {l !== undefined && l.failed > 0 && <b class="warn block">{l.failed} could not be updated</b>}
          </small>
        </Fact>
      )}
      {up && (
        <Fact name="Upstream answers">
          {up.median_ms === null ? "none asked" : latency(up.median_ms / 1000)}
          <small>
            {up.median_ms !== null && "median "}
            {windowWords(0, up.window_s)}
          </small>
        </Fact>
      )}
      {st?.memory && (
        <Fact name="Memory">
          {octets(st.memory.resident)}
          <small>{st.memory.lists !== undefined ? `${octets(st.memory.lists)} of it rules` : "in use now"}</small>
        </Fact>
      )}
      {st && (
        <Fact name="Running">
          {duration(st.uptime + sinceStatus.value)}
          <small>since its last start</small>
        </Fact>
      )}
    </dl>
  );
}

/** The state in one word and one sentence. */
function sentence(): { tone: "on" | "paused" | "warn" | "wait" | "gone"; word: string; text: string } {
  const gone = offlineSince.value;
  if (gone !== 0) {
    const silent = duration(Math.max(1, now.value - gone));
    return {
      tone: "gone",
      word: "No answer",
      text: `sinkhole has not answered for ${silent}. All numbers here are the last that were known.`,
    };
  }
  const b = blocking.data.value?.blocking;
  const rules = status.data.value?.lists?.rules ?? summary.data.value?.gravity.domains_being_blocked;
  if (b === undefined) return { tone: "wait", word: "…", text: "Asking sinkhole how it is." };
  if (b === "disabled") {
    const at = resumesAt.value;
    const text =
      at === null
        ? "Nothing is blocked until you resume."
        : `Nothing is blocked. Protection is back in ${clock(at - now.value)}.`;
    return { tone: "paused", word: "Paused", text };
  }
  if (b !== "enabled")
    return { tone: "warn", word: "Trouble", text: "Blocking could not be started; the server's log says why." };
  if (rules === 0)
    return { tone: "warn", word: "No rules yet", text: "Queries are answered, but no list is loaded, so nothing is blocked." };
  return { tone: "on", word: "Protecting", text: "Names on your lists are blocked." };
}

export function Strip() {
  const s = sentence();
  const paused = s.tone === "paused";
  useEffect(() => {
    document.title = paused ? "Paused · sinkhole" : s.tone === "gone" ? "No answer · sinkhole" : "sinkhole";
  }, [s.tone]);
  return (
    <section class={"strip " + s.tone} aria-label="Status">
      <div class="state-line">
        <span class="lamp" aria-hidden="true" />
        <div>
          <h1>
            <span role="status">{s.word}</span>
          </h1>
          <p>{s.text}</p>
        </div>
        {paused && (
          <button type="button" id="resume" class="primary" aria-keyshortcuts="p" onClick={() => void change(true, null)}>
            Resume now
          </button>
        )}
        {s.tone === "gone" && (
          <button type="button" onClick={() => void loadAll()}>
            Try now
          </button>
        )}
        {(s.tone === "on" || s.tone === "warn") && <PauseMenu />}
      </div>
      <Facts />
    </section>
  );
}
