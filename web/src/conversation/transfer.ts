/** Conversations as a file, and back. What is in a file may be anything, so that all of it is checked. */

import type { AssistantMessage, Attachment, Message, ToolCall } from "./messages";
import { isRecord, type Options, SAMPLING, type Sampling } from "./options";
import type { Conversation } from "./tree";

const FORMAT = "mistralet conversations";
const VERSION = 1;
const DATA_URL = {
  image: /^data:image\/(png|jpeg|webp|gif);base64,[A-Za-z0-9+/=]+$/,
  pdf: /^data:application\/pdf;base64,[A-Za-z0-9+/=]+$/,
};

export function toFile(conversations: Conversation[]): string {
  return JSON.stringify({ format: FORMAT, version: VERSION, conversations }, null, 1);
}

/**
 * Read a file that `toFile` wrote.
 *
 * @throws Error with a sentence for the reader.
 */
export function fromFile(text: string): Conversation[] {
  let file: unknown;
  try {
    file = JSON.parse(text);
  } catch {
    throw new Error("This file is not JSON; choose one that was exported here.");
  }
  if (!isRecord(file) || file.format !== FORMAT) throw new Error("This file was not exported here.");
  if (file.version !== VERSION)
    throw new Error(`This file is of version ${String(file.version)}; this page reads ${VERSION}.`);
  try {
    return list(file.conversations).map(readConversation);
  } catch (error) {
    throw new Error(`This file is damaged: ${(error as Error).message}.`);
  }
}

function readConversation(value: unknown): Conversation {
  const from = record(value);
  const messages = list(from.messages).map(readMessage);
  const known = new Set<string>();
  for (const { id, parent } of messages) {
    if (known.has(id) || (parent !== null && !known.has(parent))) throw new Error("its messages are no tree");
    known.add(id);
  }
  const leaf = textOrNull(from.leaf);
  if (leaf === null ? messages.length > 0 : !known.has(leaf)) throw new Error("the message it shows is missing");
  return {
    id: string(from.id),
    title: string(from.title),
    created: number(from.created),
    updated: number(from.updated),
    options: readOptions(from.options),
    messages,
    leaf,
  };
}

function readOptions(value: unknown): Options {
  const from = record(value);
  const given = record(from.sampling);
  const names = SAMPLING.map((field) => field.name).filter((name) => given[name] !== undefined);
  const sampling: Sampling = Object.fromEntries(names.map((name) => [name, number(given[name])]));
  return { system: string(from.system), sampling, stop: list(from.stop).map(string), tools: string(from.tools) };
}

function readMessage(value: unknown): Message {
  const from = record(value);
  const node = {
    id: string(from.id),
    parent: textOrNull(from.parent),
    created: number(from.created),
    text: string(from.text),
  };
  switch (from.role) {
    case "user":
      return { ...node, role: "user", attachments: list(from.attachments).map(readAttachment) };
    case "assistant":
      return { ...node, role: "assistant", ...readAnswer(from) };
    case "tool":
      return { ...node, role: "tool", callId: string(from.callId), refused: from.refused === true };
    default:
      throw new Error("a message has an unknown role");
  }
}

type AnswerParts = Pick<AssistantMessage, "model" | "toolCalls" | "finish" | "usage" | "timing" | "failure">;

function readAnswer(from: Record<string, unknown>): AnswerParts {
  const { usage, timing } = from;
  return {
    model: string(from.model),
    toolCalls: list(from.toolCalls).map(readCall),
    finish: textOrNull(from.finish),
    usage: isRecord(usage) ? { prompt: number(usage.prompt), completion: number(usage.completion) } : null,
    timing: isRecord(timing) ? { first: number(timing.first), last: number(timing.last) } : null,
    failure: null,
  };
}

function readCall(value: unknown): ToolCall {
  const from = record(value);
  return { id: string(from.id), name: string(from.name), arguments: string(from.arguments) };
}

function readAttachment(value: unknown): Attachment {
  const { kind, name, data } = record(value);
  const sound = kind === "text" || ((kind === "image" || kind === "pdf") && DATA_URL[kind].test(string(data)));
  if (!sound) throw new Error("an attachment is neither an image, a PDF nor a text");
  return { kind, name: string(name), data: string(data) };
}

function record(value: unknown): Record<string, unknown> {
  if (!isRecord(value)) throw new Error("an object is missing");
  return value;
}

function list(value: unknown): unknown[] {
  if (!Array.isArray(value)) throw new Error("a list is missing");
  return value;
}

function string(value: unknown): string {
  if (typeof value !== "string") throw new Error("a text is missing");
  return value;
}

function number(value: unknown): number {
  if (typeof value !== "number" || !Number.isFinite(value)) throw new Error("a number is missing");
  return value;
}

function textOrNull(value: unknown): string | null {
  return value === null ? null : string(value);
}
