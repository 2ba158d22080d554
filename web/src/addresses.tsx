// Addresses that are not wanted in answers: a name that leads to one of them is blocked.
import { signal, useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { ApiError, call } from "./api.ts";
import { act, Choice, Field, SaveOr, Switch } from "./form.tsx";
import { Modal } from "./modal.tsx";
import { Loaded, Name, Rows } from "./parts.tsx";
import { fromWhom, groupWords, whomOf, whoms, type Whom } from "./policy.ts";
import { addresses } from "./state.ts";
import type { AddressRule, Processed } from "./types.ts";

type Change = Partial<Pick<AddressRule, "comment" | "enabled" | "groups">>;

async function post(address: string, what: Change): Promise<void> {
  const { processed } = await call<{ processed: Processed }>("POST", "sinkhole/addresses", { address, ...what });
  const bad = processed.errors[0];
  if (bad !== undefined) throw new ApiError("refused", bad.error);
}

const pathOf = (a: AddressRule): string => `sinkhole/addresses/${encodeURIComponent(a.address)}`;

const add = (address: string, what: Change): Promise<boolean> =>
  act(() => post(address, what), {
    done: `Not wanted in answers from now on: ${address}`,
    failed: "Not added",
    after: addresses.load,
  });

const change = (a: AddressRule, what: Change): Promise<boolean> =>
  act(() => call("PUT", pathOf(a), { comment: a.comment, enabled: a.enabled, groups: a.groups, ...what }), {
    after: addresses.load,
  });

const remove = (a: AddressRule): Promise<boolean> =>
  act(() => call("DELETE", pathOf(a)), {
    done: `Wanted again: ${a.address}`,
    undo: () => void add(a.address, { comment: a.comment, enabled: a.enabled, groups: a.groups }),
    after: addresses.load,
  });

function Add() {
  const text = useSignal("");
  const comment = useSignal("");
  const whom = useSignal<Whom>("");
  const choices = whoms(false);
  const submit = async (e: Event) => {
    e.preventDefault();
    const what = { comment: comment.value.trim() || null, groups: fromWhom(whom.value).groups };
    if (await add(text.value.trim(), what)) text.value = comment.value = "";
  };
  return (
    <form class="add" aria-label="Add an address" onSubmit={(e) => void submit(e)}>
      <Field
        id="answer-address"
        label="Address or network"
        of={text}
        required
        maxLength={60}
        placeholder="203.0.113.7, or a network as 203.0.113.0/24"
      />
      {choices.length > 1 && <Choice label="For whom" value={whom.value} from={choices} set={(v) => void (whom.value = v)} />}
      <Field id="answer-comment" label="Comment" of={comment} maxLength={200} placeholder="Comment, if you like" />
      <button type="submit">Block address</button>
    </form>
  );
}

const edited = signal<AddressRule | null>(null);
const close = (): void => void (edited.value = null);

function EditForm({ a }: { a: AddressRule }) {
  const comment = useSignal(a.comment ?? "");
  const whom = useSignal(whomOf(a));
  const choices = whoms(false);
  const save = async (e: Event) => {
    e.preventDefault();
    if (await change(a, { comment: comment.value.trim() || null, groups: fromWhom(whom.value).groups })) close();
  };
  return (
    <form class="stack" onSubmit={(e) => void save(e)}>
      <Field id="edit-address-comment" label="Comment" shown of={comment} maxLength={200} />
      {choices.length > 1 && (
        <Choice label="For" shown value={whom.value} from={choices} set={(v) => void (whom.value = v)} />
      )}
      <SaveOr cancel={close} />
    </form>
  );
}

function Row({ a }: { a: AddressRule }) {
  return (
    <tr role="row" class={a.enabled ? "" : "off"}>
      <td role="cell">
        <span class="tag blocked">Blocked</span>
      </td>
      <td role="cell" class="what">
        <Name text={a.address} />
        {a.comment && (
          <small class="muted block">
            <Name text={a.comment} />
          </small>
        )}
      </td>
      <td role="cell" class="muted">
        for <Name text={groupWords(a.groups)} />
      </td>
      <td role="cell" class="buttons">
        <Switch label="Rule is on" on={a.enabled} set={(on) => void change(a, { enabled: on })} />
        <button type="button" class="quiet" onClick={() => void (edited.value = a)}>
          Edit
        </button>
        <button type="button" class="quiet" onClick={() => void remove(a)}>
          Remove
        </button>
      </td>
    </tr>
  );
}

export function Addresses() {
  useEffect(() => void addresses.load(), []);
  if (addresses.absent.value) return null;
  const a = edited.value;
  return (
    <section class="below" aria-labelledby="h-addresses">
      <h3 id="h-addresses">Addresses that are not wanted in answers</h3>
      <p class="note">A name is blocked if it leads to one of them, unless you or a list allow it.</p>
      <Add />
      <Loaded of={addresses} lines={1} empty={(v) => v.length === 0 && <p>None.</p>}>
        {(v) => (
          <Rows name="Addresses that are not wanted in answers" heads={["Does", "Address", "For", "Change"]}>
            {v.map((x) => (
              <Row key={x.id} a={x} />
            ))}
          </Rows>
        )}
      </Loaded>
      <Modal open={a !== null} close={close} class="centre" id="edit-address-title" title={a && <Name text={a.address} />}>
        {a && <EditForm a={a} />}
      </Modal>
    </section>
  );
}
