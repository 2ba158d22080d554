// Groups: a set of devices with lists and rules of its own.
import { signal, useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { act, Checks, Field, Switch } from "./form.tsx";
import { count } from "./format.ts";
import { Modal } from "./modal.tsx";
import { Loaded, Name, Rows } from "./parts.tsx";
import {
  addGroup,
  changeGroup,
  changeList,
  devices,
  deviceWords,
  everybody,
  loadPolicy,
  removeGroup,
  saveDevice,
  withGroup,
  type Device,
} from "./policy.ts";
import { clients, groups, lists, rules } from "./state.ts";
import { NowWords, PauseOne, TreatmentParts, treatmentOf } from "./treatment.tsx";
import type { Group, List } from "./types.ts";

const edited = signal<number | null>(null);
const close = (): void => void (edited.value = null);

const listWords = (l: List): string => l.name || l.address;
const listsOf = (g: Group): List[] => (lists.data.value ?? []).filter((l) => (l.groups ?? [everybody]).includes(g.id));
const devicesOf = (g: Group): Device[] => devices.value.filter((d) => d.known?.groups.includes(g.id));
const rulesOf = (g: Group): number => (rules.data.value ?? []).filter((r) => !r.client && r.groups.includes(g.id)).length;

function Add() {
  const name = useSignal("");
  const comment = useSignal("");
  const add = async (e: Event) => {
    e.preventDefault();
    if (await addGroup(name.value.trim(), comment.value.trim() || null)) name.value = comment.value = "";
  };
  return (
    <form class="add" aria-label="Add a group" onSubmit={(e) => void add(e)}>
      <Field id="group-name" label="Name of the group" of={name} required maxLength={60} placeholder="children" />
      <Field id="group-comment" label="Comment" of={comment} maxLength={200} placeholder="Comment, if you like" />
      <button type="submit">Add group</button>
    </form>
  );
}

/** Puts a device into the group or takes it out; a device that nobody described becomes known. */
function member(g: Group, d: Device, on: boolean): void {
  const of = withGroup(d.known?.groups ?? [everybody], g.id, on);
  const rest = on && !d.known ? withGroup(of, everybody, false) : of;
  void saveDevice(d, { comment: d.known?.comment ?? null, groups: rest });
}

function Members({ g }: { g: Group }) {
  const all = devices.value;
  if (all.length === 0) return <p class="muted">No device is known yet.</p>;
  return (
    <Checks
      legend="Devices"
      from={all.map((d) => [d.client, d.name ? `${d.name} (${d.client})` : deviceWords(d)])}
      on={devicesOf(g).map((d) => d.client)}
      set={(client, on) => {
        const d = all.find((x) => x.client === client);
        if (d) member(g, d, on);
      }}
    />
  );
}

function Subscribed({ g }: { g: Group }) {
  const all = lists.data.value ?? [];
  if (all.length === 0) return null;
  const set = (id: number, on: boolean) => {
    const l = all.find((x) => x.id === id);
    // A list may be in no group at all: then it is in force for nobody.
    const of = l ? (l.groups ?? [everybody]).filter((x) => x !== g.id).concat(on ? [g.id] : []) : [];
    if (l) void act(() => changeList(l, { groups: of }), { after: lists.load });
  };
  return <Checks legend="Lists" from={all.map((l) => [l.id, listWords(l)])} on={listsOf(g).map((l) => l.id)} set={set} />;
}

function Rename({ g }: { g: Group }) {
  const name = useSignal(g.name);
  const comment = useSignal(g.comment ?? "");
  const save = (e: Event) => {
    e.preventDefault();
    void changeGroup(g, { name: name.value.trim(), comment: comment.value.trim() || null });
  };
  return (
    <form class="stack" aria-label="Name of the group" onSubmit={save}>
      <Field id="edit-group-name" label="Name" shown of={name} required maxLength={60} />
      <Field id="edit-group-comment" label="Comment" shown of={comment} maxLength={200} />
      {(name.value.trim() !== g.name || comment.value.trim() !== (g.comment ?? "")) && <button type="submit">Save</button>}
    </form>
  );
}

function Dialog() {
  const g = groups.data.value?.find((x) => x.id === edited.value) ?? null;
  const t = g ? treatmentOf(g.id) : undefined;
  return (
    <Modal open={g !== null} close={close} class="side" id="group-title" title={g && <Name text={titleOf(g)} />}>
      {g && (
        <div class="stack parts">
          {g.id !== everybody && <Rename key={g.name} g={g} />}
          {g.id !== everybody && <Members g={g} />}
          <Subscribed g={g} />
          {t && <TreatmentParts t={t} />}
        </div>
      )}
    </Modal>
  );
}

const titleOf = (g: Group): string => (g.id === everybody ? "Everybody" : g.name);
const some = (n: number, one: string, many: string): string => `${count(n)} ${n === 1 ? one : many}`;

function Row({ g }: { g: Group }) {
  const others = g.id === everybody ? "all devices without a group" : some(devicesOf(g).length, "device", "devices");
  return (
    <tr role="row" class={g.enabled ? "" : "off"}>
      <td role="cell" class="what">
        <Name text={titleOf(g)} />
        {g.comment && g.id !== everybody && (
          <small class="muted block">
            <Name text={g.comment} />
          </small>
        )}
      </td>
      <td role="cell" class="muted">
        {others}, {some(listsOf(g).length, "list", "lists")}, {some(rulesOf(g), "rule", "rules")}
        <NowWords t={treatmentOf(g.id)} />
      </td>
      <td role="cell" class="buttons">
        {g.id !== everybody && <PauseOne of={{ group: g.name }} name={g.name} />}
        {g.id !== everybody && <Switch label="Group is on" on={g.enabled} set={(on) => void changeGroup(g, { enabled: on })} />}
        <button type="button" class="quiet" onClick={() => void (edited.value = g.id)}>
          Edit
        </button>
        {g.id !== everybody && (
          <button type="button" class="quiet" onClick={() => void removeGroup(g)}>
            Remove
          </button>
        )}
      </td>
    </tr>
  );
}

export function Groups() {
  useEffect(() => void loadPolicy(), []);
  return (
    <>
      <p class="note">
        A group has its own lists and rules, for the devices that are in it. Put children’s devices into one, for instance, and
        give it stricter lists.
      </p>
      <Add />
      <Loaded of={groups} lines={2}>
        {(v) => (
          <Rows name="Groups" heads={["Name", "What is in it", "Change"]}>
            {v.map((g) => (
              <Row key={g.id} g={g} />
            ))}
          </Rows>
        )}
      </Loaded>
      {clients.error.value && <p class="bad">Devices could not be read: {clients.error.value.message}.</p>}
      <Dialog />
    </>
  );
}
