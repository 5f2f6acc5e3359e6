import { useSignal } from "@preact/signals";
import { ArrowDown } from "lucide";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import type { ToolMessage } from "../conversation/messages";
import { resultsOf } from "../conversation/tree";
import { busy, currentId, path } from "../chat/state";
import { AnswerView } from "./AnswerView";
import { IconButton } from "./Icon";
import { QuestionView } from "./QuestionView";

const NEAR_END = 40;

export function Thread() {
  const messages = path.value;
  const { scroller, content, away, toEnd } = useFollowing(messages.at(-1)?.id);
  return (
    <div class="thread-frame">
      <div class="thread" ref={scroller} tabIndex={0} role="region" aria-label="Conversation">
        <div class="thread-content" ref={content} aria-busy={busy.value}>
          {messages.map((message, index) => {
            const last = index === messages.length - 1;
            switch (message.role) {
              case "user":
                return <QuestionView key={message.id} message={message} />;
              case "assistant":
                return (
                  <AnswerView
                    key={message.id}
                    message={message}
                    results={message.toolCalls.length > 0 ? resultsOf(messages, message.id) : NO_RESULTS}
                    last={last}
                  />
                );
              case "tool":
                return null; // shown with its call
            }
          })}
        </div>
      </div>
      {away && <IconButton icon={ArrowDown} label="To the end" class="to-end" onClick={toEnd} />}
    </div>
  );
}

/** One and the same, so that answers without calls need not be shown again. */
const NO_RESULTS: ReadonlyMap<string, ToolMessage> = new Map();

/** Keep the end in view while it grows, until the reader scrolls up. */
function useFollowing(lastId: string | undefined) {
  const scroller = useRef<HTMLDivElement>(null);
  const content = useRef<HTMLDivElement>(null);
  const following = useRef(true);
  const away = useSignal(false);

  const toEnd = (): void => {
    following.current = true;
    // The last size may be reported when the thread is gone already.
    scroller.current?.scrollTo({ top: scroller.current.scrollHeight, behavior: "instant" });
  };

  useEffect(() => {
    const frame = scroller.current!;
    let top = frame.scrollTop;
    const scrolled = (): void => {
      const below = frame.scrollHeight - frame.clientHeight - frame.scrollTop;
      if (below <= NEAR_END) following.current = true;
      else if (frame.scrollTop < top - 1) following.current = false;
      top = frame.scrollTop;
      away.value = !following.current;
    };
    const grown = new ResizeObserver(() => following.current && toEnd());
    frame.addEventListener("scroll", scrolled, { passive: true });
    grown.observe(content.current!);
    grown.observe(frame);
    return () => {
      frame.removeEventListener("scroll", scrolled);
      grown.disconnect();
    };
  }, []);

  // A new message, or another conversation, is looked at from its end.
  useLayoutEffect(toEnd, [lastId, currentId.value]);

  return { scroller, content, away: away.value, toEnd };
}
