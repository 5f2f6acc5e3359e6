import type { Message, ToolMessage } from "./messages";
import type { Options } from "./options";

export interface Conversation {
  id: string;
  title: string;
  created: number;
  updated: number;
  options: Options;
  /** All branches, in the order in which the messages were made: a parent comes before its children. */
  messages: Message[];
  /** The last message of the branch that is shown. */
  leaf: string | null;
}

/** The messages that are shown, from the first to the leaf. */
export function shownPath(conversation: Conversation): Message[] {
  return conversation.leaf === null ? [] : pathTo(conversation, conversation.leaf);
}

/** The messages from the first to the one given, inclusive. */
export function pathTo(conversation: Conversation, id: string): Message[] {
  const byId = new Map(conversation.messages.map((message) => [message.id, message]));
  const path: Message[] = [];
  for (let at = byId.get(id); at !== undefined; at = at.parent === null ? undefined : byId.get(at.parent)) {
    path.push(at);
  }
  return path.reverse();
}

/** Add a message, and show the branch that it ends. */
export function append(conversation: Conversation, message: Message): Conversation {
  return { ...conversation, messages: [...conversation.messages, message], leaf: message.id, updated: message.created };
}

/** The versions of a message: itself and what stands beside it, oldest first. */
export function versions(conversation: Conversation, message: Message): Message[] {
  return conversation.messages.filter((other) => other.parent === message.parent && other.role === message.role);
}

/** Show the branch of a message, down to the newest message that follows it. */
export function select(conversation: Conversation, id: string): Conversation {
  const below = new Set([id]);
  let leaf = id;
  for (const message of conversation.messages) {
    if (message.parent !== null && below.has(message.parent)) {
      below.add(message.id);
      leaf = message.id;
    }
  }
  return { ...conversation, leaf };
}

/** The results that follow an answer, by their calls; another answer may have calls with the same ids. */
export function resultsOf(path: Message[], answerId: string): Map<string, ToolMessage> {
  const results = new Map<string, ToolMessage>();
  for (const message of path.slice(path.findIndex(({ id }) => id === answerId) + 1)) {
    if (message.role !== "tool") break;
    results.set(message.callId, message);
  }
  return results;
}

/** Tokens of context that a path takes: what the server counted last, and what was written since. */
export function tokensTaken(path: Message[]): number {
  let tokens = 0;
  for (const message of path) {
    if (message.role !== "assistant" || message.usage === null) continue;
    const { prompt, completion } = message.usage;
    tokens = (prompt > 0 ? prompt : tokens) + completion; // 0: not counted yet, or never, as it was stopped
  }
  return tokens;
}

/** Change one message in place. */
export function replace<M extends Message>(
  conversation: Conversation,
  id: string,
  change: (message: M) => M,
): Conversation {
  const messages = conversation.messages.map((message) => (message.id === id ? change(message as M) : message));
  return { ...conversation, messages };
}

/** What a conversation is called until it is renamed: the beginning of what was asked first. */
export function titleOf(text: string, fallback: string): string {
  const line =
    text
      .trim()
      .split("\n", 1)[0]!
      .replace(/^[#>*\-\s]+/, "")
      .trim() || fallback;
  return line.length <= 60 ? line : `${line.slice(0, 60).replace(/\s+\S*$/, "")} …`;
}
