import { useSignal } from "@preact/signals";
import { Pencil } from "lucide";
import { memo } from "preact/compat";
import { edit } from "../chat/actions";
import { busy } from "../chat/state";
import type { UserMessage } from "../conversation/messages";
import { Attachments } from "./Attachments";
import { CopyButton } from "./CopyButton";
import { Editor } from "./Editor";
import { IconButton } from "./Icon";
import { Versions } from "./Versions";

export const QuestionView = memo(function QuestionView({ message }: { message: UserMessage }) {
  const editing = useSignal(false);
  const finish = (text: string | null): void => {
    editing.value = false;
    if (text !== null) edit(message, text);
  };
  return (
    <article class="question" aria-label="You" data-editing={editing.value}>
      <Attachments of={message.attachments} />
      {editing.value ? (
        <Editor text={message.text} save="Send" optional={message.attachments.length > 0} onFinish={finish} />
      ) : (
        message.text && <div class="question-text">{message.text}</div>
      )}
      <div class="message-actions">
        <Versions message={message} />
        {message.text && <CopyButton text={message.text} />}
        <IconButton icon={Pencil} size={16} label="Edit" class="edit-question" disabled={busy.value} onClick={() => (editing.value = true)} />
      </div>
    </article>
  );
});
