// What a person decides, a tab each. The address's hash names the tab, so each can be linked to.
import { computed, signal } from "@preact/signals";
import type { ComponentType } from "preact";
import { useEffect } from "preact/hooks";
import { Access } from "./access.tsx";
import { Backup } from "./backup.tsx";
import { Devices } from "./devices.tsx";
import { Groups } from "./groups.tsx";
import { Local } from "./local.tsx";
import { Own } from "./own.tsx";
import { Services } from "./services.tsx";
import { SettingsTab } from "./settings.tsx";
import { clients, features, groups, localRecords, rules, services, settings } from "./state.ts";

interface Tab {
  id: string;
  title: string;
  there: () => boolean; // this server can do it
  Body: ComponentType;
}

const all: Tab[] = [
  { id: "rules", title: "Your rules", there: () => !rules.absent.value, Body: Own },
  { id: "devices", title: "Devices", there: () => !clients.absent.value, Body: Devices },
  { id: "groups", title: "Groups", there: () => !groups.absent.value, Body: Groups },
  { id: "services", title: "Services", there: () => (services.data.value?.services.length ?? 0) > 0, Body: Services },
  { id: "local", title: "Local names", there: () => !localRecords.absent.value, Body: Local },
  { id: "settings", title: "Settings", there: () => features.value.has("owner") && !settings.absent.value, Body: SettingsTab },
  { id: "access", title: "Passwords", there: () => features.value.has("owner"), Body: Access },
  { id: "backup", title: "Backup and history", there: () => features.value.has("owner"), Body: Backup },
];

export const tabs = computed(() => all.filter((t) => t.there()));
const chosen = signal("");
let linked = location.hash.slice(1); // the tab that the address names, until it was gone to

/** Brings the tab that the address names, as soon as there is one: what the server can do is known a little later. */
function followLink(): void {
  if (!tabs.value.some((t) => t.id === linked)) return;
  chosen.value = linked;
  linked = "";
  document.getElementById("manage")?.scrollIntoView();
}

function followHash(): void {
  linked = location.hash.slice(1);
  followLink();
}

function choose(t: Tab): void {
  chosen.value = t.id;
  linked = "";
  window.history.replaceState(null, "", location.pathname + location.search + "#" + t.id);
}

/** Left and right step through the tabs, as in any row of tabs; the chosen one alone is in the order of Tab. */
function step(e: KeyboardEvent, at: number): void {
  const list = tabs.value;
  const to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: list.length - 1 }[e.key];
  if (to === undefined) return;
  const t = list[(to + list.length) % list.length]!;
  e.preventDefault();
  choose(t);
  document.getElementById("tab-" + t.id)?.focus();
}

export function Manage() {
  const list = tabs.value;
  useEffect(followLink, [list]);
  useEffect(() => {
    window.addEventListener("hashchange", followHash);
    return () => window.removeEventListener("hashchange", followHash);
  }, []);
  const now = list.find((t) => t.id === chosen.value) ?? list[0];
  if (!now) return null;
  return (
    <section id="manage" class="panel" aria-labelledby="h-manage">
      <h2 id="h-manage" class="hidden">
        Manage
      </h2>
      <div class="tabs" role="tablist" aria-label="What to manage">
        {list.map((t, i) => (
          <button
            key={t.id}
            id={"tab-" + t.id}
            type="button"
            role="tab"
            aria-selected={t === now}
            aria-controls={t.id}
            tabIndex={t === now ? 0 : -1}
            onClick={() => choose(t)}
            onKeyDown={(e) => step(e, i)}
          >
            {t.title}
          </button>
        ))}
      </div>
      <div id={now.id} key={now.id} class="tab-body" role="tabpanel" aria-labelledby={"tab-" + now.id}>
        <now.Body />
      </div>
    </section>
  );
}
