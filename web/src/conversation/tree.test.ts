import { describe, expect, test } from "vitest";
import type { AssistantMessage, Message, UserMessage } from "./messages";
import { NO_OPTIONS } from "./options";
import { append, type Conversation, pathTo, replace, select, shownPath, titleOf, tokensTaken, versions } from "./tree";

const EMPTY: Conversation = {
  id: "c",
  title: "",
  created: 0,
  updated: 0,
  options: NO_OPTIONS,
  messages: [],
  leaf: null,
};

function user(id: string, parent: string | null): UserMessage {
  return { id, parent, created: 1, text: id, role: "user", attachments: [] };
}

function assistant(id: string, parent: string | null): AssistantMessage {
  return {
    id,
    parent,
    created: 1,
    text: id,
    role: "assistant",
    model: "",
    toolCalls: [],
    finish: "stop",
    usage: null,
    timing: null,
    failure: null,
  };
}

function grow(...messages: Message[]): Conversation {
  return messages.reduce(append, EMPTY);
}

const ids = (messages: Message[]): string => messages.map((message) => message.id).join(" ");

describe("the tree of messages", () => {
  const branched = grow(
    user("q1", null),
    assistant("a1", "q1"),
    user("q2", "a1"),
    assistant("a2", "q2"),
    assistant("b1", "q1"),
  );

  test("what was added last is shown", () => {
    expect(ids(shownPath(branched))).toBe("q1 b1");
  });

  test("a version is shown down to the newest message below it", () => {
    expect(ids(shownPath(select(branched, "a1")))).toBe("q1 a1 q2 a2");
  });

  test("of several branches below, the newest is shown", () => {
    const more = grow(...branched.messages, assistant("a3", "q2"));
    expect(ids(shownPath(select(more, "a1")))).toBe("q1 a1 q2 a3");
  });

  test("versions have one parent and one role", () => {
    expect(ids(versions(branched, branched.messages[1]!))).toBe("a1 b1");
    expect(ids(versions(branched, branched.messages[2]!))).toBe("q2");
  });

  test("a first message can have versions, too", () => {
    const edited = grow(user("q1", null), user("q2", null));
    expect(ids(versions(edited, edited.messages[0]!))).toBe("q1 q2");
  });

  test("a change leaves the other messages the objects they were", () => {
    const changed = replace<AssistantMessage>(branched, "a2", (message) => ({ ...message, text: "new" }));
    expect(changed.messages[3]!.text).toBe("new");
    expect(changed.messages[0]).toBe(branched.messages[0]);
    expect(branched.messages[3]!.text).toBe("a2");
  });

  test("the path to a message ends there", () => {
    expect(ids(pathTo(branched, "q2"))).toBe("q1 a1 q2");
    expect(pathTo(branched, "nowhere")).toEqual([]);
  });
});

test("what the server counted last holds, and what came since is added", () => {
  const counted = (prompt: number, completion: number): Message => ({
    ...assistant("a", null),
    usage: { prompt, completion },
  });
  expect(tokensTaken([])).toBe(0);
  expect(tokensTaken([user("q", null), counted(10, 5), counted(20, 4), counted(0, 3), assistant("b", null)])).toBe(27);
});

describe("a title", () => {
  test.each([
    ["  ## Plan a trip\nto Arles", "Plan a trip"],
    ["", "photo.png"],
    ["word ".repeat(30), "word word word word word word word word word word word word …"],
    ["x".repeat(80), `${"x".repeat(60)} …`],
  ])("of %j", (text, title) => expect(titleOf(text, "photo.png")).toBe(title));
});
