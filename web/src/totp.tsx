// The second step of logging in: switched on with a code of the secret that the telephone was told.
import { signal, useSignal } from "@preact/signals";
import { call, get } from "./api.ts";
import { act, Field } from "./form.tsx";
import { Loaded } from "./parts.tsx";
import { qr } from "./qr.ts";
import { heard, seats, totp, wantsTotp } from "./state.ts";
import type { TotpSecret } from "./types.ts";

/** The secret that is being handed over; not in force until it is confirmed. */
const offered = signal<TotpSecret | null>(null);

export function forgetOffer(): void {
  offered.value = null;
}

const changed = (): void => {
  void totp.load().then(() => (wantsTotp.value = totp.data.value?.enabled ?? false));
  void seats.load();
};

const offer = (): Promise<boolean> =>
  act(async () => (offered.value = (await heard(get<{ totp: TotpSecret }>("auth/totp"))).totp), { failed: "Not begun" });

const off = (): Promise<boolean> =>
  act(() => call("DELETE", "sinkhole/totp"), { done: "One-time codes are off: the password is enough.", after: changed });

/** Dark squares on white in both schemes: that is what cameras read. */
function Picture({ text }: { text: string }) {
  const rows = qr(text);
  if (!rows) return null;
  const side = rows.length + 8;
  const path = rows.map((r, y) => r.map((dark, x) => (dark ? `M${x + 4} ${y + 4}h1v1h-1z` : "")).join("")).join("");
  return (
    <svg class="qr" viewBox={`0 0 ${side} ${side}`} role="img" aria-label="QR code of the secret" shape-rendering="crispEdges">
      <rect width={side} height={side} fill="#fff" />
      <path d={path} fill="#000" />
    </svg>
  );
}

function Confirm({ t }: { t: TotpSecret }) {
  const code = useSignal("");
  const confirm = async (e: Event) => {
    e.preventDefault();
    const put = () => call("PUT", "sinkhole/totp", { secret: t.secret, totp: code.value });
    if (await act(put, { done: "One-time codes are on. Other sessions have ended.", failed: "Not switched on", after: changed }))
      forgetOffer();
  };
  return (
    <form class="stack told" aria-label="Switch one-time codes on" onSubmit={(e) => void confirm(e)}>
      <p>Take the picture with an authenticator app, or type the secret into it; then write the code that it shows.</p>
      <Picture text={t.uri} />
      <p>
        <a href={t.uri}>Open in an app of this device</a>
        <br />
        <code class="secret">{t.secret.replace(/(.{4})(?=.)/g, "$1 ")}</code>
      </p>
      <Field
        id="totp-code"
        label="Code of the app"
        shown
        of={code}
        required
        inputMode="numeric"
        pattern="[0-9]{6}"
        maxLength={6}
        autoComplete="one-time-code"
      />
      <div class="buttons">
        <button type="submit" class="primary">
          Switch on
        </button>
        <button type="button" onClick={forgetOffer}>
          Cancel
        </button>
      </div>
    </form>
  );
}

export function OneTime() {
  return (
    <section class="stack" aria-labelledby="h-totp">
      <h3 id="h-totp">One-time codes</h3>
      <Loaded of={totp} lines={2}>
        {(t) => (
          <>
            <p class="muted small">
              {t.enabled
                ? "Logging in with the password wants a code of your authenticator app, too. App passwords need none."
                : "A second step when logging in with the password: a code of an authenticator app."}
            </p>
            {t.enabled ? (
              <button type="button" onClick={() => void off()}>
                Switch off
              </button>
            ) : offered.value ? (
              <Confirm t={offered.value} />
            ) : (
              <button type="button" onClick={() => void offer()}>
                Set up…
              </button>
            )}
          </>
        )}
      </Loaded>
    </section>
  );
}
