// The door.
import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { ApiError, login } from "./api.ts";
import { Mark } from "./mark.tsx";
import { access, hasPassword, offlineSince, wantsTotp } from "./state.ts";

function refusal(message: string | null | undefined): string {
  if (!message || message === "password incorrect") return "That is not the password.";
  if (message.startsWith("No 2FA token")) return "Now the one-time code of your authenticator app.";
  if (message.startsWith("Invalid 2FA token")) return "That is not the code of this moment.";
  if (message.startsWith("Reused 2FA token")) return "This code was used already: wait for the next one.";
  return message.charAt(0).toUpperCase() + message.slice(1) + ".";
}

export function Login() {
  const password = useSignal("");
  const code = useSignal("");
  const wrong = useSignal("");
  const busy = useSignal(false);
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => field.current?.focus(), []);

  const submit = async (e: Event) => {
    e.preventDefault();
    busy.value = true;
    wrong.value = "";
    try {
      const s = await login(password.value, code.value === "" ? null : Number(code.value));
      if (s.valid) {
        hasPassword.value = s.sid !== null;
        access.value = "in";
        return;
      }
      wantsTotp.value = s.totp;
      wrong.value = refusal(s.message);
      field.current?.select();
    } catch (err) {
      const e = err as ApiError;
      wrong.value =
        e.status === 429
          ? "Too many attempts. Wait a minute, then try again."
          : e.kind === "offline"
            ? "sinkhole cannot be reached."
            : refusal(e.message);
      if (/totp|2fa/i.test(e.message)) {
        wantsTotp.value = true;
        code.value = "";
        setTimeout(() => document.getElementById("code")?.focus()); // once it is drawn
      }
    } finally {
      busy.value = false;
    }
  };

  return (
    <main class="door">
      <form onSubmit={(e) => void submit(e)} aria-label="Log in">
        <Mark />
        <h1>sinkhole</h1>
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
        <label for="password">Password</label>
        <input
          ref={field}
          id="password"
          name="password"
          type="password"
          autoComplete="current-password"
          required
          value={password.value}
          aria-invalid={wrong.value !== ""}
          aria-describedby="login-note"
          onInput={(e) => void (password.value = e.currentTarget.value)}
        />
        {wantsTotp.value && (
          <>
            <label for="code">One-time code</label>
            <input
              id="code"
              name="code"
              inputMode="numeric"
              autoComplete="one-time-code"
              pattern="[0-9]{6}"
              maxLength={6}
              value={code.value}
              onInput={(e) => void (code.value = e.currentTarget.value)}
            />
          </>
        )}
        <button type="submit" class="primary" disabled={busy.value}>
          {busy.value ? "One moment…" : "Log in"}
        </button>
        <p id="login-note" class={wrong.value ? "bad" : "muted"} role="alert">
          {wrong.value || (offlineSince.value ? "sinkhole does not answer at present." : "")}
        </p>
        <p class="muted small">
          The password was printed when sinkhole first started; <code>sinkhole password</code> sets a new one
          {wantsTotp.value && (
            <>
              , <code>sinkhole password --no-totp</code> switches one-time codes off
            </>
          )}
          .
        </p>
      </form>
    </main>
  );
}
