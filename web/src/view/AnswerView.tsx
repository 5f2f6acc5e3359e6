import { useSignal } from "@preact/signals";
import { Pencil, RefreshCw } from "lucide";
import { memo } from "preact/compat";
import { editAnswer, regenerate } from "../chat/actions";
import { busy } from "../chat/state";
import type { AssistantMessage, ToolMessage } from "../conversation/messages";
import { tokenRate } from "../server/answer";
import { CopyButton } from "./CopyButton";
import { Editor } from "./Editor";
import { FailureCard } from "./FailureCard";
import { IconButton } from "./Icon";
import { Markdown } from "./Markdown";
import { ToolCallCard } from "./ToolCallCard";
import { Versions } from "./Versions";

interface Props {
  message: AssistantMessage;
  results: ReadonlyMap<string, ToolMessage>;
  last: boolean;
}

export const AnswerView = memo(function AnswerView({ message, results, last }: Props) {
  const editing = useSignal(false);
  const writing = message.finish === null;
  const finish = (text: string | null): void => {
    editing.value = false;
    if (text !== null) editAnswer(message, text);
  };
  return (
    <article class="answer" aria-label="Answer" aria-busy={writing} data-last={last}>
      {writing && !message.text && message.toolCalls.length === 0 && <Waiting />}
      {editing.value ? (
        <Editor text={message.text} save="Save" onFinish={finish} />
      ) : (
        <Markdown text={message.text} growing={writing} />
      )}
      {message.toolCalls.map((call, index) => (
        <ToolCallCard key={index} message={message} call={call} result={results.get(call.id)} />
      ))}
      {message.failure && <FailureCard message={message} failure={message.failure} />}
      {!writing && (
        <div class="message-actions">
          <Versions message={message} />
          {message.text && <CopyButton text={message.text} />}
          <IconButton
            icon={RefreshCw}
            size={16}
            label="Regenerate"
            disabled={busy.value}
            onClick={() => regenerate(message)}
          />
          {message.text && (
            <IconButton
              icon={Pencil}
              size={16}
              label="Edit answer"
              disabled={busy.value}
              onClick={() => (editing.value = true)}
            />
          )}
          <Figures message={message} />
        </div>
      )}
      {writing && message.usage && (
        <div class="message-actions writing">
          <Figures message={message} />
        </div>
      )}
    </article>
  );
});

function Waiting() {
  return (
    <div class="waiting" role="img" aria-label="The model is reading">
      <i />
      <i />
      <i />
    </div>
  );
}

const ENDINGS: Record<string, string> = {
  length: "cut off at the token limit",
  stopped: "stopped",
  repetition: "ended because it repeated itself",
  content_filter: "withheld by a filter",
};

function Figures({ message: { usage, timing, finish, failure } }: { message: AssistantMessage }) {
  const rate = usage && tokenRate(usage.completion, timing);
  const parts = [
    finish !== null && !failure && ENDINGS[finish],
    rate && `${rate < 10 ? rate.toFixed(1) : Math.round(rate)} tokens/s`,
    usage && `${usage.completion.toLocaleString("en")} token${usage.completion === 1 ? "" : "s"}`,
    finish !== null && timing && `first after ${duration(timing.first)}`,
  ].filter(Boolean);
  return <span class="figures">{parts.map((part) => String(part).replaceAll(" ", "\u00a0")).join(" · ")}</span>;
}

function duration(ms: number): string {
  return ms < 995 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(ms < 9950 ? 1 : 0)} s`;
}
