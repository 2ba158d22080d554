// The devices of the house: who they are, and which groups treat them.
import { signal, useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { Checks, Field, SaveOr } from "./form.tsx";
import { ago } from "./format.ts";
import { setFilter } from "./log.ts";
import { Modal } from "./modal.tsx";
import { Loaded, Name, Rows } from "./parts.tsx";
import { devices, everybody, forgetDevice, groupWords, loadPolicy, saveDevice, withGroup, type Device } from "./policy.ts";
import { clients, groups, now, suggestions } from "./state.ts";
import { PauseOne } from "./treatment.tsx";

const edited = signal<Device | null>(null);

export function editDevice(d: Device): void {
  edited.value = d;
}

function Form({ d }: { d: Device }) {
  const comment = useSignal(d.known?.comment ?? "");
  const of = useSignal(d.known?.groups ?? [everybody]);
  const choices = (groups.data.value ?? []).map((g): [number, string] => [g.id, g.id === everybody ? "everybody" : g.name]);
  const save = async (e: Event) => {
    e.preventDefault();
    if (await saveDevice(d, { comment: comment.value.trim() || null, groups: of.value })) edited.value = null;
  };
  return (
    <form class="stack" onSubmit={(e) => void save(e)}>
      {d.name && (
        <p class="muted">
          The network calls it <Name text={d.name} />.
        </p>
      )}
      <Field id="device-comment" label="Comment" shown of={comment} maxLength={200} placeholder="the television in the kitchen" />
      <Checks
        legend="Groups that treat it"
        from={choices}
        on={of.value}
        set={(id, on) => void (of.value = withGroup(of.value, id, on))}
      />
      <p class="muted small">In several groups, all their lists and rules count together.</p>
      <SaveOr cancel={() => void (edited.value = null)} />
    </form>
  );
}

export function DeviceDialog() {
  const d = edited.value;
  return (
    <Modal
      open={d !== null}
      close={() => void (edited.value = null)}
      class="centre"
      id="device-title"
      title={d && <Name text={d.client} />}
    >
      {d && <Form d={d} />}
    </Modal>
  );
}

/** Adds a device that has not asked yet, or a whole network. */
function Add() {
  const text = useSignal("");
  const add = (e: Event) => {
    e.preventDefault();
    editDevice({ client: text.value.trim(), addresses: [], name: "", source: "none", known: null, seen: 0 });
    text.value = "";
  };
  return (
    <form class="add" aria-label="Add a device" onSubmit={add}>
      <Field
        id="device-address"
        label="Address, network or hardware address"
        of={text}
        required
        maxLength={100}
        placeholder="192.168.1.20, or a network as 192.168.7.0/24"
      />
      <button type="submit">Describe…</button>
    </form>
  );
}

/** Who gave a device its name; nothing for what a person wrote here. */
const namedBy: Record<string, string> = {
  record: "named by a local record",
  lease: "named by DHCP",
  router: "named by the router",
  mdns: "names itself",
};

/** What else it is known by: addresses, and where its name is from. */
function Also({ d }: { d: Device }) {
  const others = d.addresses.filter((a) => a !== d.client);
  return (
    <small class="muted">
      {d.name && (
        <>
          {" "}
          <Name text={d.client} />
        </>
      )}
      {others.map((a) => (
        <span key={a}>
          {" "}
          <Name text={a} />
        </span>
      ))}
      {d.name && namedBy[d.source] && ` · ${namedBy[d.source]}`}
    </small>
  );
}

function Row({ d }: { d: Device }) {
  return (
    <tr role="row">
      <td role="cell">
        <span class={"tag" + (d.known ? " forwarded" : "")}>{d.known ? "known" : "seen"}</span>
      </td>
      <td role="cell" class="what">
        <button type="button" class="link" title="Show its queries" onClick={() => setFilter({ client: d.addresses[0] ?? d.client }, true)}>
          <Name text={d.name || d.client} />
        </button>
        <Also d={d} />
        {d.known?.comment && (
          <small class="muted block">
            <Name text={d.known.comment} />
          </small>
        )}
      </td>
      <td role="cell" class="muted">
        {d.known ? <Name text={groupWords(d.known.groups)} /> : `asked ${ago(d.seen, now.value)}`}
      </td>
      <td role="cell" class="buttons">
        <PauseOne of={{ client: d.client }} name={d.name || d.client} />
        <button type="button" class="quiet" onClick={() => editDevice(d)}>
          {d.known ? "Edit" : "Describe"}
        </button>
        {d.known && (
          <button type="button" class="quiet" onClick={() => void forgetDevice(d)}>
            Forget
          </button>
        )}
      </td>
    </tr>
  );
}

export function Devices() {
  useEffect(() => {
    void loadPolicy();
    const turn = setInterval(() => !document.hidden && void suggestions.load(), 5000); // who asks appears
    return () => clearInterval(turn);
  }, []);
  return (
    <>
      <p class="note">Who asks here. A device that you described or put into a group is known; all others are treated as everybody.</p>
      <Add />
      <Loaded
        of={clients}
        lines={4}
        empty={() => devices.value.length === 0 && <p>No device has asked yet. Point one, or your router, at this machine.</p>}
      >
        {() => (
          <Rows name="Devices" heads={["State", "Name", "Groups", "Change"]}>
            {devices.value.map((d) => (
              <Row key={d.client} d={d} />
            ))}
          </Rows>
        )}
      </Loaded>
    </>
  );
}
