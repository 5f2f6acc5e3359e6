import { ArrowUp, Plus, Square } from "lucide";
import { useEffect, useRef } from "preact/hooks";
import { send, stop } from "../chat/actions";
import { addFiles, attachments, draft, dropAttachment } from "../chat/draft";
import { busy, currentId, model } from "../chat/state";
import { ACCEPTED } from "../storage/attach";
import { Attachments } from "./Attachments";
import { ContextMeter } from "./ContextMeter";
import { Icon, IconButton } from "./Icon";
import { fitHeight, isSendKey } from "./fields";

export function Composer() {
  const field = useRef<HTMLTextAreaElement>(null);
  useEffect(() => fitHeight(field.current!), [draft.value]);
  useEffect(() => field.current!.focus(), [currentId.value]);
  const empty = !draft.value.trim() && attachments.value.length === 0;
  return (
    <form
      class="composer"
      onSubmit={(event) => {
        event.preventDefault();
        submit();
      }}
    >
      <div class="composer-card">
        <Attachments of={attachments.value} onRemove={dropAttachment} />
        <textarea
          id="message"
          ref={field}
          rows={1}
          aria-label="Message"
          placeholder="Ask anything"
          value={draft.value}
          onInput={(event) => (draft.value = event.currentTarget.value)}
          onKeyDown={key}
          onPaste={paste}
        />
        <div class="composer-row">
          <label class="icon-button" title="Add images, PDFs or text files">
            <Icon of={Plus} size={20} />
            <input
              id="files"
              type="file"
              class="unseen"
              multiple
              accept={ACCEPTED}
              aria-label="Add files"
              onChange={(event) => choose(event.currentTarget)}
            />
          </label>
          <span class="composer-hint">
            <kbd>Enter</kbd> sends, <kbd>Shift Enter</kbd> starts a line
          </span>
          <span class="gap" />
          <ContextMeter />
          {busy.value ? (
            <IconButton icon={Square} size={16} label="Stop" class="send stop" onClick={stop} />
          ) : (
            <button
              type="submit"
              class="icon-button send"
              aria-label="Send"
              title="Send"
              disabled={empty || !model.value}
            >
              <Icon of={ArrowUp} size={20} />
            </button>
          )}
        </div>
      </div>
    </form>
  );
}

function submit(): void {
  const text = draft.value.trim();
  if (busy.value || !model.value || (!text && attachments.value.length === 0)) return;
  send(text, attachments.value);
  draft.value = "";
  attachments.value = [];
}

function key(event: KeyboardEvent): void {
  if (isSendKey(event)) {
    event.preventDefault();
    submit();
  } else if (event.key === "ArrowUp" && draft.value === "" && !busy.value) {
    event.preventDefault();
    [...document.querySelectorAll<HTMLElement>(".edit-question")].at(-1)?.click();
  }
}

function paste(event: ClipboardEvent): void {
  const files = event.clipboardData?.files;
  if (!files?.length) return;
  event.preventDefault();
  void addFiles(files);
}

function choose(input: HTMLInputElement): void {
  void addFiles([...(input.files ?? [])]);
  input.value = "";
}
