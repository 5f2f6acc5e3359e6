import { describe, expect, test } from "vitest";
import { readSampling, readTools } from "./options";

describe("a sampling field", () => {
  test.each([
    ["temperature", "0.7", 0.7],
    ["temperature", "0", 0],
    ["temperature", "  ", undefined],
    ["temperature", "2.1", "Temperature must be from 0 to 2."],
    ["temperature", "warm", "Temperature must be from 0 to 2."],
    ["seed", "1.5", "Seed must be a whole number."],
    ["max_tokens", "0", "Max tokens must be from 1 to 131072."],
    ["presence_penalty", "-1.5", -1.5],
  ] as const)("%s %j", (name, typed, read) => expect(readSampling(name, typed)).toBe(read));
});

describe("tools", () => {
  test("are taken one or many, with OpenAI's wrapping or without", () => {
    const inner = { name: "f", description: "Does.", parameters: { type: "object" } };
    const tool = { type: "function", function: inner };
    expect(readTools(JSON.stringify(inner))).toEqual([tool]);
    expect(readTools(JSON.stringify([tool, { name: "g" }]))).toEqual([
      tool,
      { type: "function", function: { name: "g" } },
    ]);
    expect(readTools("  ")).toEqual([]);
  });

  test.each([
    ["{", /not JSON/],
    ["[1]", /Tool 1 must be an object/],
    ['[{"name": "f"}, {"name": "bad name"}]', /Tool 2 needs a name/],
    ['{"name": "f", "parameters": []}', /f: its parameters/],
    ['{"name": "f", "description": 1}', /f: its description/],
    ['[{"name": "f"}, {"name": "f"}]', /Two tools are called f/],
  ])("%s are refused", (json, message) => expect(() => readTools(json)).toThrow(message));
});
