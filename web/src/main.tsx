// The page, from top to bottom.
import { render } from "preact";
import { useEffect, useRef } from "preact/hooks";
import "uplot/dist/uPlot.min.css";
import "./style.css";
import { logout } from "./api.ts";
import { begin } from "./follow.ts";
import { Keep } from "./keep.tsx";
import { helpOpen, keyWords, startKeys } from "./keys.ts";
import { Lists } from "./lists.tsx";
import { startLog } from "./log.ts";
import { Log } from "./logview.tsx";
import { Local } from "./local.tsx";
import { Login } from "./login.tsx";
import { Mark } from "./mark.tsx";
import { Own } from "./own.tsx";
import { Toasts } from "./parts.tsx";
import { access, checkSession, hasPassword, lists, offlineSince, rules, status } from "./state.ts";
import { Strip } from "./strip.tsx";
import { Timeline } from "./timeline.tsx";
import { Tops } from "./tops.tsx";
import { Totals } from "./totals.tsx";
import { Why, whyOpen } from "./why.tsx";

async function leave(): Promise<void> {
  await logout();
  access.value = "out";
  await checkSession();
}

function Top() {
  return (
    <header class="top">
      <a class="brand" href="#top">
        <Mark />
        <span>sinkhole</span>
      </a>
      <nav aria-label="Parts of the page">
        <a href="#timeline">Overview</a>
        {!lists.absent.value && <a href="#lists">Lists</a>}
        <a href="#log">Queries</a>
        {!rules.absent.value && <a href="#rules">Rules</a>}
      </nav>
      {hasPassword.value && (
        <button type="button" class="quiet" onClick={() => void leave()}>
          Log out
        </button>
      )}
    </header>
  );
}

function Help() {
  const box = useRef<HTMLDialogElement>(null);
  const open = helpOpen.value;
  useEffect(() => {
    if (open) box.current?.showModal();
    else box.current?.close();
  }, [open]);
  return (
    <dialog
      ref={box}
      class="help"
      aria-labelledby="help-title"
      onClose={() => void (helpOpen.value = false)}
      onClick={(e) => {
        if (e.target === e.currentTarget) helpOpen.value = false;
      }}
    >
      <div>
        <h2 id="help-title">Keys</h2>
        <dl>
          {keyWords.map(([k, w]) => (
            <div key={k}>
              <dt>
                <kbd>{k}</kbd>
              </dt>
              <dd>{w}</dd>
            </div>
          ))}
        </dl>
        <button type="button" onClick={() => void (helpOpen.value = false)}>
          Close
        </button>
      </div>
    </dialog>
  );
}

function Page() {
  return (
    <>
      <a class="skip" href="#log">
        To the query log
      </a>
      <Top />
      <main id="top" class={offlineSince.value ? "stale" : ""}>
        <Strip />
        <Totals />
        <Timeline />
        <Tops />
        <Lists />
        <Log />
        <Own />
        <Local />
        <Keep />
      </main>
      <footer class="foot">
        <p class="muted">sinkhole {status.data.value?.version ?? ""}</p>
        <button type="button" class="quiet" onClick={() => void (helpOpen.value = true)}>
          Keys
        </button>
      </footer>
      <Why />
      <Help />
    </>
  );
}

function App() {
  const a = access.value;
  return (
    <>
      {a === "in" ? (
        <Page />
      ) : a === "out" ? (
        <Login />
      ) : (
        <p class="plain" role="status">
          {offlineSince.value ? "sinkhole does not answer. Trying again…" : "One moment…"}
        </p>
      )}
      {!whyOpen.value && <Toasts />}
    </>
  );
}

const root = document.getElementById("app");
if (root) {
  render(<App />, root);
  startKeys();
  startLog();
  void begin();
}
