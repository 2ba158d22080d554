// The page, from top to bottom.
import { render } from "preact";
import "uplot/dist/uPlot.min.css";
import "./style.css";
import { logout } from "./api.ts";
import { DeviceDialog } from "./devices.tsx";
import { begin } from "./follow.ts";
import { helpOpen, keyWords, startKeys } from "./keys.ts";
import { Lists } from "./lists.tsx";
import { startLog } from "./log.ts";
import { Log } from "./logview.tsx";
import { Login } from "./login.tsx";
import { Manage, tabs } from "./manage.tsx";
import { Mark } from "./mark.tsx";
import { modals, Modal } from "./modal.tsx";
import { Toasts } from "./parts.tsx";
import { access, checkSession, hasPassword, lists, offlineSince, status } from "./state.ts";
import { Strip } from "./strip.tsx";
import { Timeline } from "./timeline.tsx";
import { Tops } from "./tops.tsx";
import { Totals } from "./totals.tsx";
import { Why } from "./why.tsx";

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
        {tabs.value.length > 0 && <a href="#manage">Manage</a>}
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
  return (
    <Modal open={helpOpen.value} close={() => void (helpOpen.value = false)} class="centre" id="help-title" title="Keys">
      <dl class="keys">
        {keyWords.map(([k, w]) => (
          <div key={k}>
            <dt>
              <kbd>{k}</kbd>
            </dt>
            <dd>{w}</dd>
          </div>
        ))}
      </dl>
    </Modal>
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
        <Manage />
      </main>
      <footer class="foot">
        <p class="muted">sinkhole {status.data.value?.version ?? ""}</p>
        <button type="button" class="quiet" onClick={() => void (helpOpen.value = true)}>
          Keys
        </button>
      </footer>
      <Why />
      <DeviceDialog />
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
      {modals.value === 0 && <Toasts />}
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
