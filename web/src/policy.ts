// Groups and the devices in them: who is treated how.
import { computed } from "@preact/signals";
import { call } from "./api.ts";
import { act } from "./form.tsx";
import { clients, groups, lists, policy, suggestions } from "./state.ts";
import { visible } from "./text.ts";
import type { Client, Group, List } from "./types.ts";

/** Group 0 is everybody who is in no other. */
export const everybody = 0;

export function groupName(id: number): string {
  return id === everybody ? "everybody" : (groups.data.value?.find((g) => g.id === id)?.name ?? `group ${id}`);
}

/** "everybody", "children and guests" */
export function groupWords(ids: number[]): string {
  const names = ids.map(groupName);
  const last = names.pop() ?? "nobody";
  return names.length === 0 ? last : `${names.join(", ")} and ${last}`;
}

export interface Device {
  client: string; // address, network, hardware address or name
  addresses: string[]; // that are known of it
  source: string; // who named it
  name: string; // "" unknown
  known: Client | null; // described by somebody
  seen: number; // unix seconds, 0: not lately
}

/** Devices that somebody described, then those that were seen. */
export const devices = computed((): Device[] => {
  const known = (clients.data.value ?? []).map(
    (c): Device => ({ client: c.client, addresses: c.addresses, name: c.name ?? "", source: c.name_source, known: c, seen: 0 }),
  );
  const there = new Set(known.map((d) => d.client));
  const seen = (suggestions.data.value ?? [])
    .map((s): Device => {
      const addresses = s.addresses.split(",");
      return { client: s.hwaddr ?? addresses[0]!, addresses, name: s.names ?? "", source: s.name_source, known: null, seen: s.lastQuery };
    })
    .filter((d) => !there.has(d.client));
  return [...known, ...seen.sort((a, b) => b.seen - a.seen)];
});

/** What to call a device where there is one line: its name, else its address with what was said of it. */
export const deviceWords = (d: Device): string => d.name || (d.known?.comment ? `${d.client} (${d.known.comment})` : d.client);

/** The same by its address, for choices and texts. */
export function deviceName(client: string): string {
  const d = devices.value.find((x) => x.client === client || x.addresses.includes(client));
  return d ? deviceWords(d) : client;
}

export function loadPolicy(): Promise<unknown> {
  return Promise.all([groups.load(), clients.load(), suggestions.load(), policy.load()]);
}

export interface DeviceChange {
  comment: string | null;
  groups: number[];
}

/** Describes a device, or changes what was said of it. */
export function saveDevice(d: Device, change: DeviceChange): Promise<boolean> {
  const put = () =>
    d.known
      ? call("PUT", `clients/${encodeURIComponent(d.client)}`, change)
      : call("POST", "clients", { client: d.client, ...change });
  return act(put, { done: `Saved: ${change.comment ?? d.client}`, after: loadPolicy });
}

export function forgetDevice(d: Device): Promise<boolean> {
  const { comment, groups: of } = d.known ?? { comment: null, groups: [everybody] };
  return act(() => call("DELETE", `clients/${encodeURIComponent(d.client)}`), {
    done: `Forgotten: ${d.name || d.client}. It is treated as everybody.`,
    undo: () => void saveDevice({ ...d, known: null }, { comment, groups: of }),
    after: loadPolicy,
  });
}

const groupPath = (name: string): string => `groups/${encodeURIComponent(name)}`;

export const addGroup = (name: string, comment: string | null): Promise<boolean> =>
  act(() => call("POST", "groups", { name, comment, enabled: true }), {
    done: `Group added: ${name}`,
    failed: "Not added",
    after: groups.load,
  });

export const changeGroup = (g: Group, change: Partial<Pick<Group, "name" | "comment" | "enabled">>): Promise<boolean> =>
  act(() => call("PUT", groupPath(g.name), { name: g.name, comment: g.comment, enabled: g.enabled, ...change }), {
    after: groups.load,
  });

export const removeGroup = (g: Group): Promise<boolean> =>
  act(() => call("DELETE", groupPath(g.name)), {
    done: `Group removed: ${g.name}. Its devices are treated as everybody.`,
    after: () => Promise.all([loadPolicy(), lists.load()]),
  });

/** Ids with one more or one fewer; who would be nowhere is with everybody. */
export function withGroup(ids: number[], id: number, on: boolean): number[] {
  const next = ids.filter((x) => x !== id);
  if (on) next.push(id);
  return next.length > 0 ? next.sort((a, b) => a - b) : [everybody];
}

/** Whom a rule is for, as one text for a choice: "" everybody, "group 3", "client 192.0.2.7". */
export type Whom = string;

export function whomOf(r: { groups?: number[]; client?: string | null }): Whom {
  if (r.client) return `client ${r.client}`;
  const only = r.groups?.length === 1 ? r.groups[0]! : everybody;
  return only === everybody ? "" : `group ${only}`;
}

export function fromWhom(w: Whom): { groups: number[]; client?: string } {
  if (w.startsWith("client ")) return { groups: [everybody], client: w.slice(7) };
  return { groups: [w.startsWith("group ") ? Number(w.slice(6)) : everybody] };
}

/** All that a rule can be for; `clients`: also for one device. */
export function whoms(withClients: boolean): [Whom, string][] {
  const of = (groups.data.value ?? []).filter((g) => g.id !== everybody);
  return [
    ["", "for everybody"],
    ...of.map((g): [Whom, string] => [`group ${g.id}`, `for ${visible(g.name)}`]),
    ...(withClients
      ? devices.value.map((d): [Whom, string] => [`client ${d.client}`, `only ${visible(deviceWords(d))}`])
      : []),
  ];
}

export const listPath = (l: Pick<List, "address" | "type">): string => `lists/${encodeURIComponent(l.address)}?type=${l.type}`;

/** What can be changed of a list; what is not named stays. */
export const changeList = (l: List, change: Partial<Pick<List, "comment" | "enabled" | "groups">>): Promise<unknown> =>
  call("PUT", listPath(l), { comment: l.comment, groups: l.groups ?? [everybody], enabled: l.enabled, ...change });
