// Who may come in: the password, app passwords and keys, and who is logged in.
import { signal, useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { call } from "./api.ts";
import { act, Choice, Field } from "./form.tsx";
import { ago, dateOf } from "./format.ts";
import { Loaded, Name, Rows, toast } from "./parts.tsx";
import { features, hasPassword, keys, now, seats, totp } from "./state.ts";
import { forgetOffer, OneTime } from "./totp.tsx";
import type { Key, Seat } from "./types.ts";

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
    const done = "The password is changed. Other browsers and apps must log in again.";
    if (await act(() => call("PUT", "sinkhole/password", { password: word.value }), { done, after: seats.load }))
      word.value = again.value = "";
    busy.value = false;
  };
  return (
    <form class="stack" aria-label="Change the password" onSubmit={(e) => void submit(e)}>
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
      <Field
        id="new-password"
        label="New password"
        of={word}
        type="password"
        required
        minLength={8}
        maxLength={1024}
        autoComplete="new-password"
        placeholder="New password, 8 characters or more"
      />
      <Field
        id="new-password-again"
        label="The new password again"
        of={again}
        type="password"
        required
        autoComplete="new-password"
        placeholder="Again"
      />
      <div class="buttons">
        <button type="submit" disabled={busy.value}>
          Change password
        </button>
      </div>
    </form>
  );
}

/** The key that was made last: its secret is told this once. */
const made = signal<Key | null>(null);

type Reach = "all" | "read";

const reaches: [Reach, string][] = [
  ["all", "app password"],
  ["read", "only reads"],
];

function AddKey() {
  const name = useSignal("");
  const reach = useSignal<Reach>("all");
  const add = async (e: Event) => {
    e.preventDefault();
    const ask = async () => {
      const body = { name: name.value.trim(), read_only: reach.value === "read" };
      made.value = (await call<{ key: Key }>("POST", "sinkhole/keys", body)).key;
    };
    if (await act(ask, { failed: "Not made", after: keys.load })) name.value = "";
  };
  return (
    <form class="add" aria-label="Make an app password" onSubmit={(e) => void add(e)}>
      <Field id="key-name" label="Which app it is for" of={name} required maxLength={63} placeholder="Which app it is for" />
      <Choice label="What it may do" value={reach.value} from={reaches} set={(v) => void (reach.value = v)} />
      <button type="submit">Make one</button>
    </form>
  );
}

/** Tells the secret; it is in the page's memory alone and goes with the next click. */
function Made() {
  const k = made.value;
  if (!k?.secret) return null;
  const secret = k.secret;
  const copy = () =>
    navigator.clipboard?.writeText(secret).then(
      () => toast("Copied."),
      () => toast("The browser does not let the page copy: mark the text and copy it.", { bad: true }),
    );
  return (
    <div class="told" role="status">
      <p>
        For <Name text={k.name} />, shown this once:
      </p>
      <p>
        <code class="secret">{secret}</code>
      </p>
      <div class="buttons">
        {window.isSecureContext && (
          <button type="button" onClick={() => void copy()}>
            Copy
          </button>
        )}
        <button type="button" onClick={() => void (made.value = null)}>
          I have it
        </button>
      </div>
    </div>
  );
}

const revoke = (k: Key): Promise<boolean> =>
  act(() => call("DELETE", `sinkhole/keys/${k.id}`), { done: `Revoked: ${k.name}`, after: keys.load });

function Keys() {
  if (keys.absent.value) return null;
  return (
    <section class="stack wide" aria-labelledby="h-keys">
      <h3 id="h-keys">App passwords</h3>
      <p class="muted small">
        One for each app, so that it can be taken back alone. An app password opens what your password opens, except passwords; a
        key that only reads is enough for widgets and for <code>/metrics</code>.
      </p>
      <AddKey />
      <Made />
      <Loaded of={keys} lines={2} empty={(v) => v.length === 0 && <p>None yet.</p>}>
        {(v) => (
          <Rows name="App passwords" heads={["Reach", "Name", "Since", "Change"]}>
            {v.map((k) => (
              <tr key={k.id} role="row">
                <td role="cell">
                  <span class="tag">{k.read_only ? "only reads" : "app"}</span>
                </td>
                <td role="cell" class="what">
                  <Name text={k.name} />
                </td>
                <td role="cell" class="muted">
                  since {dateOf(k.created)}
                </td>
                <td role="cell" class="buttons">
                  <button type="button" class="quiet" onClick={() => void revoke(k)}>
                    Revoke
                  </button>
                </td>
              </tr>
            ))}
          </Rows>
        )}
      </Loaded>
    </section>
  );
}

/** "Firefox on Linux" out of a user agent, or its first word: an app's own name. */
export function agentWords(agent: string | null): string {
  if (!agent) return "unknown program";
  const browser = /(Edg|OPR|Firefox|Chrome|Safari)\//.exec(agent)?.[1];
  const system = /(Android|iPhone|iPad|Windows|Mac OS X|CrOS|Linux)/.exec(agent)?.[1];
  const known: Record<string, string> = { Edg: "Edge", OPR: "Opera" };
  if (!browser || !agent.startsWith("Mozilla/")) return agent.split(/[\s/(]/)[0] || agent;
  return (known[browser] ?? browser) + (system ? ` on ${system}` : "");
}

const end = (s: Seat): Promise<boolean> =>
  act(() => call("DELETE", `auth/session/${s.id}`), { done: "Logged out there.", after: seats.load });

function Seats() {
  if (seats.absent.value) return null;
  return (
    <section class="stack wide" aria-labelledby="h-seats">
      <h3 id="h-seats">Logged in now</h3>
      <Loaded of={seats} lines={2}>
        {(v) => (
          <Rows name="Who is logged in" heads={["Kind", "Who", "Last seen", "Change"]}>
            {[...v]
              .sort((a, b) => b.last_active - a.last_active)
              .map((s) => (
                <tr key={s.id} role="row">
                  <td role="cell">
                    <span class="tag">{s.app ? "app" : "person"}</span>
                  </td>
                  <td role="cell" class="what">
                    <Name text={agentWords(s.user_agent)} />
                    <small class="muted">
                      {" "}
                      from <Name text={s.remote_addr} />
                    </small>
                  </td>
                  <td role="cell" class="muted">
                    {s.current_session ? "this browser" : ago(s.last_active, now.value)}
                  </td>
                  <td role="cell" class="buttons">
                    {!s.current_session && (
                      <button type="button" class="quiet" onClick={() => void end(s)}>
                        End it
                      </button>
                    )}
                  </td>
                </tr>
              ))}
          </Rows>
        )}
      </Loaded>
    </section>
  );
}

export function Access() {
  useEffect(() => {
    void keys.load();
    void seats.load();
    if (features.value.has("totp")) void totp.load();
    return () => {
      made.value = null;
      forgetOffer();
    };
  }, []);
  return (
    <div class="halves">
      {hasPassword.value && <Password />}
      {features.value.has("totp") && hasPassword.value && <OneTime />}
      <Keys />
      <Seats />
    </div>
  );
}
