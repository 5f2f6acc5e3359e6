import { expect, test } from "vitest";
import type { Message, ToolCall } from "./messages";
import { NO_OPTIONS } from "./options";
import { requestBody } from "./request";

let count = 0;
const node = {
  get id() {
    return String(count++);
  },
  parent: null,
  created: 0,
};
const ask = (text: string): Message => ({ ...node, role: "user", text, attachments: [] });
const result = (callId: string, text: string): Message => ({ ...node, role: "tool", text, callId, refused: false });

function answer(text: string, toolCalls: ToolCall[] = []): Message {
  return {
    ...node,
    role: "assistant",
    text,
    model: "",
    toolCalls,
    finish: "stop",
    usage: null,
    timing: null,
    failure: null,
  };
}

function messagesOf(path: Message[], system = ""): unknown {
  return requestBody("m", { ...NO_OPTIONS, system }, path).messages;
}

const call = (id: string): ToolCall => ({ id, name: "f", arguments: "{}" });

test("what is not set is not sent", () => {
  expect(requestBody("m", NO_OPTIONS, [ask("Hi")])).toEqual({
    model: "m",
    messages: [{ role: "user", content: "Hi" }],
    stream: true,
    stream_options: { include_usage: true },
  });
});

test("options have OpenAI's names", () => {
  const options = {
    system: "Be brief.",
    sampling: { temperature: 0, top_p: 0.9, max_tokens: 5, seed: 1 },
    stop: ["END"],
    tools: '{"name": "f"}',
  };
  expect(requestBody("m", options, [])).toMatchObject({
    messages: [{ role: "system", content: "Be brief." }],
    temperature: 0,
    top_p: 0.9,
    max_tokens: 5,
    seed: 1,
    stop: ["END"],
    tools: [{ type: "function", function: { name: "f" } }],
  });
});

test("a blank system prompt is none", () => {
  expect(messagesOf([ask("Hi")], "  \n")).toEqual([{ role: "user", content: "Hi" }]);
});

test("attachments come before the text, each as its part", () => {
  const attachments = [
    { kind: "image", name: "a.png", data: "data:image/png;base64,AA==" },
    { kind: "pdf", name: "b.pdf", data: "data:application/pdf;base64,AA==" },
    { kind: "text", name: "c.txt", data: "words" },
  ] as const;
  expect(messagesOf([{ ...node, role: "user", text: "Look", attachments: [...attachments] }])).toEqual([
    {
      role: "user",
      content: [
        { type: "image_url", image_url: { url: "data:image/png;base64,AA==" } },
        { type: "file", file: { filename: "b.pdf", file_data: "data:application/pdf;base64,AA==" } },
        { type: "text", text: "File c.txt:\n\nwords\n" },
        { type: "text", text: "Look" },
      ],
    },
  ]);
});

test("an answer that failed before its first word is left out", () => {
  expect(messagesOf([ask("1"), answer(""), ask("2")])).toEqual([
    { role: "user", content: "1" },
    { role: "user", content: "2" },
  ]);
});

test("results follow in the order of the calls", () => {
  expect(messagesOf([answer("", [call("1"), call("2")]), result("2", "two"), result("1", "one")])).toEqual([
    {
      role: "assistant",
      content: null,
      tool_calls: ["1", "2"].map((id) => ({ id, type: "function", function: { name: "f", arguments: "{}" } })),
    },
    { role: "tool", tool_call_id: "1", content: "one" },
    { role: "tool", tool_call_id: "2", content: "two" },
  ]);
});

test("a result belongs to the answer before it, though another has a call of the same id", () => {
  const messages = messagesOf([
    answer("", [call("1")]),
    result("1", "first"),
    answer("", [call("1")]),
    result("1", "second"),
  ]);
  expect((messages as { content: string }[]).map(({ content }) => content)).toEqual([null, "first", null, "second"]);
});

test("a call that the reader passed over is answered, for the API wants one result for each call", () => {
  expect(messagesOf([answer("Wait.", [call("1")]), ask("Never mind")])).toMatchObject([
    { role: "assistant", content: "Wait." },
    { role: "tool", tool_call_id: "1", content: "The user did not run this tool." },
    { role: "user" },
  ]);
});
