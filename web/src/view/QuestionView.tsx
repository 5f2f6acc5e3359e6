import { useSignal } from "@preact/signals";
import { Pencil } from "lucide";
import { memo } from "preact/compat";
import { editQuestion } from "../chat/actions";
import { busy } from "../chat/state";
import type { Attachment, UserMessage } from "../conversation/messages";
import { Attachments } from "./Attachments";
import { CopyButton } from "./CopyButton";
import { Editor } from "./Editor";
import { IconButton } from "./Icon";
import { Versions } from "./Versions";

export const QuestionView = memo(function QuestionView({ message }: { message: UserMessage }) {
  const editing = useSignal(false);
  const kept = useSignal(message.attachments);
  const begin = (): void => {
    kept.value = message.attachments;
    editing.value = true;
  };
  const finish = (text: string | null): void => {
    editing.value = false;
    if (text !== null) editQuestion(message, text, kept.value);
  };
  const remove = (gone: Attachment): void => void (kept.value = kept.value.filter((attachment) => attachment !== gone));
  return (
    <article class="question" aria-label="You" data-editing={editing.value}>
      {editing.value ? <Attachments of={kept.value} onRemove={remove} /> : <Attachments of={message.attachments} />}
      {editing.value ? (
        <Editor text={message.text} save="Send" optional={kept.value.length > 0} onFinish={finish} />
      ) : (
        message.text && <div class="question-text">{message.text}</div>
      )}
      <div class="message-actions">
        <Versions message={message} />
        {message.text && <CopyButton text={message.text} />}
        <IconButton icon={Pencil} size={16} label="Edit" class="edit-question" disabled={busy.value} onClick={begin} />
      </div>
    </article>
  );
});
