// A dialog over the page: it keeps the focus, Escape and a click beside it close it, and the focus goes back to where it was.
import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { signal } from "@preact/signals";
import { Toasts } from "./parts.tsx";

/** How many dialogs are open: what stands outside of them can then be neither seen well nor reached. */
export const modals = signal(0);

interface ModalProps {
  open: boolean;
  close: () => void;
  class: string;
  title: ComponentChildren;
  id: string; // of the heading
  children: ComponentChildren;
}

export function Modal({ open, close, class: cls, title, id, children }: ModalProps) {
  const box = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    if (!open) return;
    const from = document.activeElement;
    box.current?.showModal();
    modals.value++;
    return () => {
      box.current?.close();
      modals.value--;
      if (from instanceof HTMLElement && from.isConnected) from.focus();
    };
  }, [open]);
  return (
    <dialog
      ref={box}
      class={cls}
      aria-labelledby={id}
      onClose={close}
      onClick={(e) => {
        if (e.target === e.currentTarget) close();
      }}
    >
      {open && (
        <div class="dialog-body">
          <header>
            <h2 id={id}>{title}</h2>
            <button type="button" class="quiet" aria-label="Close" onClick={close}>
              ×
            </button>
          </header>
          {children}
        </div>
      )}
      {open && <Toasts />}
    </dialog>
  );
}
