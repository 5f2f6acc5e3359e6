import { expect, test } from "vitest";
import { absorb, type Answer, type Chunk, NO_ANSWER, tokenRate } from "./answer";

function absorbAll(...chunks: Chunk[]): Answer {
  return chunks.reduce((answer, chunk, index) => absorb(answer, chunk, 100 * (index + 1)), NO_ANSWER);
}

test("text grows, and the server's count comes last", () => {
  const answer = absorbAll(
    { choices: [{ delta: { content: "" } }] },
    { choices: [{ delta: { content: "Hel" } }] },
    { choices: [{ delta: { content: "lo" }, finish_reason: null }] },
    { choices: [{ delta: {}, finish_reason: "length" }] },
    { choices: [], usage: { prompt_tokens: 7, completion_tokens: 2 } },
  );
  expect(answer).toEqual({
    text: "Hello",
    toolCalls: [],
    finish: "length",
    usage: { prompt: 7, completion: 2 },
    timing: { first: 200, last: 300 },
    pieces: 2,
  });
});

test("calls grow side by side", () => {
  const piece = (index: number, json: string, id?: string, name?: string): Chunk => ({
    choices: [
      { delta: { tool_calls: [{ index, ...(id && { id }), function: { ...(name && { name }), arguments: json } }] } },
    ],
  });
  expect(
    absorbAll(piece(0, '{"a"', "1", "f"), piece(1, "{", "2", "g"), piece(0, ": 1}"), piece(1, "}")).toolCalls,
  ).toEqual([
    { id: "1", name: "f", arguments: '{"a": 1}' },
    { id: "2", name: "g", arguments: "{}" },
  ]);
});

test("the rate counts the tokens after the first", () => {
  expect(tokenRate(11, { first: 500, last: 1000 })).toBe(20);
  expect(tokenRate(1, { first: 500, last: 500 })).toBeNull();
  expect(tokenRate(90, { first: 500, last: 510 })).toBeNull();
  expect(tokenRate(5, null)).toBeNull();
});
