/** All that the reader can do. */

import type { AssistantMessage, Attachment, ToolCall, ToolMessage, UserMessage } from "../conversation/messages";
import type { Options } from "../conversation/options";
import { append, type Conversation, replace, resultsOf, select, titleOf } from "../conversation/tree";
import * as database from "../storage/database";
import { lastOptions } from "../storage/preferences";
import { generate } from "./generate";
import { forget, put, saveNow, unloadOthers, update, write } from "./keep";
import { current, currentId, loaded, model, notify, options, path, running } from "./state";

export function newChat(): void {
  open(null);
}

/** Show a conversation; the address bar keeps which, so that reload and back work. */
export function open(id: string | null): void {
  location.hash = id === null ? "" : `#/${id}`;
}

/** Show what the address bar names. */
export async function showAddress(): Promise<void> {
  const id = location.hash.slice(2) || null;
  if (id !== null && !loaded.value[id]) {
    const found = await database.load(id).catch(() => undefined);
    if (id !== location.hash.slice(2)) return; // the reader went on meanwhile
    if (!found) return open(null);
    put(interrupted(found));
  }
  currentId.value = id;
  unloadOthers();
}

/** An answer that was being written when the page went away has ended where it is. */
function interrupted(conversation: Conversation): Conversation {
  const messages = conversation.messages.map((message) =>
    message.role === "assistant" && message.finish === null
      ? { ...message, finish: "stopped", toolCalls: [] }
      : message,
  );
  return { ...conversation, messages };
}

export function send(text: string, attachments: Attachment[]): void {
  const conversation = current.value ?? begin(titleOf(text, attachments[0]?.name ?? "New chat"));
  const message: UserMessage = { ...node(conversation.leaf, text), role: "user", attachments };
  put(append(conversation, message));
  if (currentId.value !== conversation.id) {
    currentId.value = conversation.id;
    open(conversation.id);
  }
  answer(conversation.id, message.id);
}

export function stop(): void {
  if (currentId.value !== null) running.value.get(currentId.value)?.abort();
}

/** The page goes away; without this, that its connections end would be taken for the server's fault. */
export function stopAll(): void {
  running.value.forEach((controller) => controller.abort());
}

/** Have another answer beside this one. */
export function regenerate(message: AssistantMessage): void {
  if (currentId.value !== null && message.parent !== null) answer(currentId.value, message.parent);
}

/** Send the request of a failed answer again, into the same message; to the model of now, if the server has changed. */
export function retry(message: AssistantMessage): void {
  const id = currentId.value;
  if (id === null) return;
  const name = model.value?.id ?? message.model;
  update(id, (conversation) =>
    replace<AssistantMessage>(conversation, message.id, (failed) => ({ ...failed, model: name })),
  );
  void generate(id, message.id);
}

/** Put another version beside a question, and have it answered. */
export function editQuestion(message: UserMessage, text: string, attachments: Attachment[]): void {
  if (!current.value) return;
  const version: UserMessage = { ...message, ...node(message.parent, text), attachments };
  update(current.value.id, (conversation) => append(conversation, version));
  answer(current.value.id, version.id);
}

/** Put another version beside an answer: what the model will be told it said. */
export function editAnswer(message: AssistantMessage, text: string): void {
  if (!current.value) return;
  const version: AssistantMessage = { ...message, ...node(message.parent, text) };
  update(current.value.id, (conversation) => append(conversation, version));
}

export function showVersion(id: string): void {
  if (current.value) update(current.value.id, (conversation) => select(conversation, id));
}

/** Give a call its result; when the last one of an answer has it, the model goes on. */
export function answerCall(message: AssistantMessage, call: ToolCall, text: string, refused: boolean): void {
  if (!current.value) return;
  const id = current.value.id;
  const result: ToolMessage = { ...node(current.value.leaf, text), role: "tool", callId: call.id, refused };
  update(id, (conversation) => append(conversation, result));
  const results = resultsOf(path.value, message.id);
  if (message.toolCalls.every((other) => results.has(other.id))) answer(id, result.id);
}

export function setOptions(change: Partial<Options>): void {
  const next = { ...options.value, ...change };
  lastOptions.value = next;
  if (current.value) update(current.value.id, (conversation) => ({ ...conversation, options: next }));
}

export async function rename(id: string, title: string): Promise<void> {
  const conversation = loaded.value[id] ?? (await database.load(id));
  if (!conversation) return;
  const renamed = { ...conversation, title: title.trim() || conversation.title };
  if (loaded.value[id]) put(renamed);
  await write(renamed);
}

export async function remove(id: string): Promise<void> {
  const conversation = loaded.value[id] ?? (await database.load(id));
  running.value.get(id)?.abort();
  await forget(id);
  if (currentId.value === id) newChat();
  if (conversation)
    notify(`Deleted “${conversation.title}”.`, { label: "Undo", run: () => void write(interrupted(conversation)) });
}

function answer(conversationId: string, parent: string): void {
  const message: AssistantMessage = {
    ...node(parent, ""),
    ...{
      role: "assistant",
      model: model.value?.id ?? "",
      toolCalls: [],
      finish: null,
      usage: null,
      timing: null,
      failure: null,
    },
  };
  update(conversationId, (conversation) => append(conversation, message));
  void saveNow(conversationId);
  void generate(conversationId, message.id);
}

function begin(title: string): Conversation {
  const now = Date.now();
  return { id: newId(), title, created: now, updated: now, options: options.value, messages: [], leaf: null };
}

function node(
  parent: string | null,
  text: string,
): { id: string; parent: string | null; created: number; text: string } {
  return { id: newId(), parent, created: Date.now(), text };
}

/** Not `crypto.randomUUID`, which a page that came over plain HTTP from another machine lacks. */
function newId(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
