/** Have the model answer, and write what comes into a message of a conversation. */

import type { AssistantMessage, Failure } from "../conversation/messages";
import { requestBody } from "../conversation/request";
import { pathTo, replace } from "../conversation/tree";
import { absorb, type Answer, NO_ANSWER } from "../server/answer";
import { ServerFailure, streamChat } from "../server/client";
import { apiKey } from "../storage/preferences";
import { connect, lostConnection } from "./connect";
import { saveNow, update } from "./keep";
import { announcement, connection, loaded, panel, running } from "./state";

/** Often enough to look smooth, seldom enough that Markdown is not parsed for each token of a fast model. */
const SHOW_MS = 40;

/** Fill an empty assistant message; what was in it before is dropped. */
export async function generate(conversationId: string, messageId: string): Promise<void> {
  const conversation = loaded.value[conversationId];
  if (!conversation || running.value.has(conversationId)) return;
  const controller = new AbortController();
  running.value = new Map(running.value).set(conversationId, controller);
  announcement.value = "The model is answering.";

  let answer = NO_ANSWER;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const show = (failure: Failure | null = null): void => {
    clearTimeout(timer);
    timer = undefined;
    update(conversationId, (now) =>
      replace<AssistantMessage>(now, messageId, (message) => ({ ...message, ...shown(answer), failure })),
    );
  };
  show();
  try {
    const before = pathTo(conversation, messageId).slice(0, -1);
    const model = (conversation.messages.find(({ id }) => id === messageId) as AssistantMessage).model;
    const sent = performance.now();
    for await (const chunk of streamChat(
      requestBody(model, conversation.options, before),
      apiKey.value,
      controller.signal,
    )) {
      answer = absorb(answer, chunk, performance.now() - sent);
      timer ??= setTimeout(show, SHOW_MS);
    }
    answer = { ...answer, finish: answer.finish ?? "stop" };
    show();
    if (connection.value !== "ready") void connect();
  } catch (error) {
    const failure = controller.signal.aborted ? null : failureOf(error);
    // A call that was cut off is no call: its arguments may be half an object.
    answer = { ...answer, toolCalls: [], finish: "stopped" };
    show(failure);
    if (failure?.kind === "key") panel.value = "key";
    if (failure?.kind === "unreachable") lostConnection();
  } finally {
    const left = new Map(running.value);
    left.delete(conversationId);
    running.value = left;
    announcement.value = "The answer has ended.";
    await saveNow(conversationId);
  }
}

/** Until the server has counted, what came is counted in pieces. */
function shown({ text, toolCalls, finish, usage, timing, pieces }: Answer): Partial<AssistantMessage> {
  return { text, toolCalls, finish, timing, usage: usage ?? (pieces > 0 ? { prompt: 0, completion: pieces } : null) };
}

function failureOf(error: unknown): Failure {
  return error instanceof ServerFailure ? error.failure : { kind: "refused", message: (error as Error).message };
}
