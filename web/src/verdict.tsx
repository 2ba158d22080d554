// What the server says of a name: what decides, which rules speak of it besides, and what would be without each.
import { count } from "./format.ts";
import { Name } from "./parts.tsx";
import type { Check, Decision } from "./types.ts";

/** "StevenBlack, line 4,711: tracker.example and all below it" */
function Says({ d }: { d: Decision }) {
  return (
    <>
      {d.source === "list" && (
        <b>
          <Name text={d.list ?? "a list"} />
        </b>
      )}
      {d.source === "rule" && <b>your own rule</b>}
      {d.source === "service" && (
        <>
          the blocked service{" "}
          <b>
            <Name text={d.list ?? ""} />
          </b>
        </>
      )}
      {d.source === "local" && <b>a local record</b>}
      {d.source === "special" && <b>a special name</b>}
      {d.line !== null && <span class="muted"> line {count(d.line)}</span>}
      {": "}
      {d.regex && <span class="muted">names that match </span>}
      <Name text={d.rule} />
      {d.subtree && <span class="muted"> and all below it</span>}
    </>
  );
}

/** The whole decision, and which single switch would change it. */
function Steps({ c }: { c: Check }) {
  const without = c.without ?? [];
  const other = without.filter((w) => w.verdict !== c.verdict);
  if (!c.steps?.length) return null;
  return (
    <details class="others">
      <summary>The decision step by step</summary>
      <dl class="steps">
        {c.steps.map((s) => (
          <div key={s.step}>
            <dt>{s.step}</dt>
            <dd>
              <Name text={s.text} />
            </dd>
          </div>
        ))}
      </dl>
      {without.length > 0 && other.length === 0 && (
        <p class="muted small">No single list or rule, switched off, would change it.</p>
      )}
      {other.map((w, i) => (
        <p key={i} class="small">
          {w.verdict === "blocked" ? "Blocked" : "Allowed"} without <Says d={w.off} />.
        </p>
      ))}
    </details>
  );
}

function Others({ of }: { of: Decision[] }) {
  if (of.length === 0) return null;
  return (
    <details class="others">
      <summary>{of.length === 1 ? "One more rule matches" : `${of.length} more rules match`}</summary>
      <ul>
        {of.map((d, i) => (
          <li key={i}>
            {d.action === "allow" ? "Allows: " : "Blocks: "}
            <Says d={d} />
          </li>
        ))}
      </ul>
    </details>
  );
}

export function Verdict({ c }: { c: Check }) {
  const d = c.decided_by;
  const word = c.verdict === "blocked" ? "Blocked" : c.verdict === "local" ? "Answered here" : "Allowed";
  const tone = c.verdict === "blocked" ? "blocked" : "forwarded";
  return (
    <>
      <p>
        <span class={"tag " + tone}>{word}</span>{" "}
        {d ? (
          <>
            by <Says d={d} />
          </>
        ) : (
          "no list and no rule names it."
        )}
      </p>
      {c.paused && c.verdict === "blocked" && <p class="warn">Blocking is paused, so it is answered all the same.</p>}
      <Others of={c.others} />
      <Steps c={c} />
    </>
  );
}
