/** A conversation is a tree of messages; what is shown is the path from its root to one leaf. */

export interface Attachment {
  kind: "image" | "pdf" | "text";
  name: string;
  /** A data URL of an image or PDF; the text itself of a text file. */
  data: string;
}

export interface ToolCall {
  id: string;
  name: string;
  /** JSON, as the model wrote it. */
  arguments: string;
}

export interface Usage {
  prompt: number;
  completion: number;
}

/** Milliseconds since the request was sent. */
export interface Timing {
  first: number;
  last: number;
}

export type FailureKind = "unreachable" | "key" | "busy" | "refused" | "failed" | "broken";

export interface Failure {
  kind: FailureKind;
  message: string;
  /** When the request may be sent again, in milliseconds since 1970. */
  retryAt?: number;
}

interface Node {
  id: string;
  parent: string | null;
  created: number;
  text: string;
}

export interface UserMessage extends Node {
  role: "user";
  attachments: Attachment[];
}

export interface AssistantMessage extends Node {
  role: "assistant";
  model: string;
  toolCalls: ToolCall[];
  /** Why the answer ended: the server's finish reason, or "stopped" by the reader; null while it is written. */
  finish: string | null;
  usage: Usage | null;
  timing: Timing | null;
  failure: Failure | null;
}

export interface ToolMessage extends Node {
  role: "tool";
  callId: string;
  refused: boolean;
}

export type Message = UserMessage | AssistantMessage | ToolMessage;
