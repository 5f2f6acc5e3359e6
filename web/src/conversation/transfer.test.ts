import { describe, expect, test } from "vitest";
import { fromFile, toFile } from "./transfer";
import type { Conversation } from "./tree";

const CONVERSATION: Conversation = {
  id: "c",
  title: "Weather",
  created: 1,
  updated: 2,
  options: { system: "Be brief.", sampling: { temperature: 0.5 }, stop: ["END"], tools: "[]" },
  messages: [
    {
      id: "q",
      parent: null,
      created: 1,
      text: "Look",
      role: "user",
      attachments: [{ kind: "image", name: "a.png", data: "data:image/png;base64,AA==" }],
    },
    {
      ...{
        id: "a",
        parent: "q",
        created: 1,
        text: "",
        role: "assistant",
        model: "tiny",
        toolCalls: [{ id: "1", name: "f", arguments: "{}" }],
      },
      ...{ finish: "tool_calls", usage: { prompt: 3, completion: 4 }, timing: { first: 5, last: 6 }, failure: null },
    },
    { id: "t", parent: "a", created: 2, text: "No.", role: "tool", callId: "1", refused: true },
  ],
  leaf: "t",
};

function damaged(change: (conversation: any) => void): string {
  const copy = structuredClone(CONVERSATION);
  change(copy);
  return toFile([copy]);
}

test("what is written is read", () => {
  expect(fromFile(toFile([CONVERSATION]))).toEqual([CONVERSATION]);
});

test("what is not known is dropped", () => {
  const [read] = fromFile(
    damaged(
      (conversation) =>
        Object.assign(conversation, { extra: 1 }) && Object.assign(conversation.options.sampling, { evil: 1 }),
    ),
  );
  expect(read).toEqual(CONVERSATION);
});

describe("refused", () => {
  test.each([
    ["", /not JSON/],
    ["[]", /not exported here/],
    ['{"format": "mistralet conversations", "version": 9}', /version 9/],
    ['{"format": "mistralet conversations", "version": 1}', /damaged: a list is missing/],
  ])("%s", (text, message) => expect(() => fromFile(text)).toThrow(message));

  test.each([
    [
      "a script as an image",
      (c: any) => (c.messages[0].attachments[0].data = "data:text/html,<script>1</script>"),
      /attachment/,
    ],
    [
      "an SVG as an image",
      (c: any) => (c.messages[0].attachments[0].data = "data:image/svg+xml;base64,AA=="),
      /attachment/,
    ],
    ["an unknown role", (c: any) => (c.messages[0].role = "root"), /unknown role/],
    ["a parent that comes later", (c: any) => (c.messages[0].parent = "a"), /no tree/],
    ["one message twice", (c: any) => c.messages.push(c.messages[0]), /no tree/],
    ["a leaf that is not there", (c: any) => (c.leaf = "x"), /missing/],
    ["text that is none", (c: any) => (c.messages[1].text = { toString: 1 }), /a text is missing/],
    ["a temperature that is none", (c: any) => (c.options.sampling.temperature = "hot"), /a number is missing/],
  ])("%s", (_, change, message) => expect(() => fromFile(damaged(change))).toThrow(message));
});
