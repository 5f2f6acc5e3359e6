import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { fitHeight, isSendKey } from "./fields";

interface Props {
  text: string;
  save: string;
  /** Whether the text may be empty. */
  optional?: boolean;
  /** Given the new text, or null if all stays as it is. */
  onFinish: (text: string | null) => void;
}

/** A message, to be changed where it stands. */
export function Editor({ text, save, optional = false, onFinish }: Props) {
  const draft = useSignal(text);
  const field = useRef<HTMLTextAreaElement>(null);
  useEffect(() => {
    fitHeight(field.current!);
    field.current!.focus();
    field.current!.setSelectionRange(text.length, text.length);
  }, []);
  const finish = (): void => {
    if (draft.value.trim() || optional) onFinish(draft.value);
  };
  const key = (event: KeyboardEvent): void => {
    if (event.key === "Escape" && !event.isComposing) onFinish(null);
    else if (isSendKey(event)) finish();
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  return (
    <div class="editor">
      <textarea
        ref={field}
        aria-label="Edit message"
        value={draft.value}
        onKeyDown={key}
        onInput={(event) => {
          draft.value = event.currentTarget.value;
          fitHeight(event.currentTarget);
        }}
      />
      <div class="buttons">
        <button type="button" class="button" onClick={() => onFinish(null)}>
          Cancel
        </button>
        <button type="button" class="button primary" onClick={finish}>
          {save}
        </button>
      </div>
    </div>
  );
}
