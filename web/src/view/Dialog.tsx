import { X } from "lucide";
import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { IconButton } from "./Icon";

interface Props {
  label: string;
  class: string;
  onClose: () => void;
  children: ComponentChildren;
}

/** A modal dialog, which the browser closes on Escape; a click beside it closes it, too. */
export function Dialog({ label, class: name, onClose, children }: Props) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => dialog.current!.showModal(), []);
  return (
    <dialog
      ref={dialog}
      class={`dialog ${name}`}
      aria-label={label}
      onClose={onClose}
      onClick={(event) => event.target === dialog.current && onClose()}
    >
      <div class="dialog-body">
        {children}
        <IconButton icon={X} label="Close" class="close" onClick={onClose} />
      </div>
    </dialog>
  );
}
