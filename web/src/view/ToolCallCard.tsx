import { useSignal } from "@preact/signals";
import { Check, ChevronRight, Wrench, X } from "lucide";
import { answerCall } from "../chat/actions";
import { busy } from "../chat/state";
import type { AssistantMessage, ToolCall, ToolMessage } from "../conversation/messages";
import { highlight } from "../text/highlight";
import { Icon } from "./Icon";
import { fitHeight } from "./fields";

interface Props {
  message: AssistantMessage;
  call: ToolCall;
  result: ToolMessage | undefined;
}

export function ToolCallCard({ message, call, result }: Props) {
  const writing = message.finish === null;
  const state = writing ? "writing" : result === undefined ? "waiting" : result.refused ? "refused" : "answered";
  return (
    <details class="tool-call" data-state={state} open={result === undefined}>
      <summary>
        <Icon of={Wrench} size={16} />
        <code class="tool-name">{call.name}</code>
        <span class="tool-state">{STATES[state]}</span>
        <Icon of={ChevronRight} size={16} />
      </summary>
      <p>Arguments</p>
      <pre tabIndex={0}>
        <code dangerouslySetInnerHTML={{ __html: highlight(pretty(call.arguments), "json") }} />
      </pre>
      {result !== undefined && (
        <>
          <p>Result</p>
          <pre tabIndex={0}>
            <code
              dangerouslySetInnerHTML={{ __html: highlight(pretty(result.text), isJson(result.text) ? "json" : "") }}
            />
          </pre>
        </>
      )}
      {state === "waiting" && <ResultForm message={message} call={call} />}
    </details>
  );
}

const STATES = { writing: "is being called", waiting: "waits for you", answered: "answered", refused: "refused" };
const REFUSAL = "The user refused this call.";

function ResultForm({ message, call }: { message: AssistantMessage; call: ToolCall }) {
  const result = useSignal("");
  return (
    <form
      class="tool-result"
      onSubmit={(event) => {
        event.preventDefault();
        answerCall(message, call, result.value, false);
      }}
    >
      <label>
        Result
        <textarea
          rows={2}
          placeholder="What the tool gives back, as JSON or text"
          value={result.value}
          onInput={(event) => {
            result.value = event.currentTarget.value;
            fitHeight(event.currentTarget);
          }}
        />
      </label>
      <div class="buttons">
        <button
          type="button"
          class="button"
          disabled={busy.value}
          onClick={() => answerCall(message, call, REFUSAL, true)}
        >
          <Icon of={X} size={16} /> Refuse
        </button>
        <button type="submit" class="button primary" disabled={busy.value}>
          <Icon of={Check} size={16} /> Send result
        </button>
      </div>
    </form>
  );
}

function pretty(json: string): string {
  try {
    return JSON.stringify(JSON.parse(json), null, 2);
  } catch {
    return json;
  }
}

function isJson(text: string): boolean {
  return pretty(text) !== text || /^[[{"]/.test(text);
}
