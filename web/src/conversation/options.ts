/** What is asked of the model beside the messages. An option that is not set is left to the server. */

export interface Options {
  system: string;
  sampling: Sampling;
  stop: string[];
  /** Tool definitions in JSON, as the reader typed them. */
  tools: string;
}

export type SamplingName = (typeof SAMPLING)[number]["name"];
export type Sampling = Partial<Record<SamplingName, number>>;

export const SAMPLING = [
  {
    name: "temperature",
    label: "Temperature",
    min: 0,
    max: 2,
    step: 0.05,
    hint: "0 always takes the likeliest token.",
  },
  { name: "top_p", label: "Top p", min: 0, max: 1, step: 0.01, hint: "Draws among the likeliest that sum to this." },
  {
    name: "min_p",
    label: "Min p",
    min: 0,
    max: 1,
    step: 0.01,
    hint: "Drops what is below this share of the likeliest.",
  },
  { name: "max_tokens", label: "Max tokens", min: 1, max: 131072, step: 1, hint: "Ends the answer after so many." },
  { name: "seed", label: "Seed", min: 0, max: 4294967295, step: 1, hint: "The same seed gives the same answer." },
  {
    name: "presence_penalty",
    label: "Presence penalty",
    min: -2,
    max: 2,
    step: 0.1,
    hint: "Above 0: against what was used before.",
  },
  {
    name: "frequency_penalty",
    label: "Frequency penalty",
    min: -2,
    max: 2,
    step: 0.1,
    hint: "Above 0: the more, the more it was used.",
  },
] as const;

export const NO_OPTIONS: Options = { system: "", sampling: {}, stop: [], tools: "" };

export interface Tool {
  type: "function";
  function: { name: string; description?: string; parameters?: Record<string, unknown> };
}

/** The value of a sampling field as typed, `undefined` if it is empty, or a sentence that says what is wrong. */
export function readSampling(name: SamplingName, typed: string): number | undefined | string {
  const { label, min, max, step } = SAMPLING.find((field) => field.name === name)!;
  if (typed.trim() === "") return undefined;
  const value = Number(typed);
  if (!Number.isFinite(value) || value < min || value > max) return `${label} must be from ${min} to ${max}.`;
  return step === 1 && !Number.isInteger(value) ? `${label} must be a whole number.` : value;
}

/**
 * Tool definitions: one or a list, in OpenAI's form or without its `type` and `function` around them.
 *
 * @throws Error with a sentence for the reader.
 */
export function readTools(json: string): Tool[] {
  if (json.trim() === "") return [];
  let parsed: unknown;
  try {
    parsed = JSON.parse(json);
  } catch (error) {
    throw new Error(`The tools are not JSON: ${(error as Error).message}.`);
  }
  const tools = (Array.isArray(parsed) ? parsed : [parsed]).map(readTool);
  const names = tools.map((tool) => tool.function.name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) throw new Error(`Two tools are called ${twice}.`);
  return tools;
}

function readTool(value: unknown, index: number): Tool {
  const place = `Tool ${index + 1}`;
  if (!isRecord(value)) throw new Error(`${place} must be an object.`);
  const inner = isRecord(value.function) ? value.function : value;
  const { name, description, parameters } = inner;
  if (typeof name !== "string" || !/^[\w-]{1,64}$/.test(name)) {
    throw new Error(`${place} needs a name of up to 64 letters, digits, _ and -.`);
  }
  if (description !== undefined && typeof description !== "string")
    throw new Error(`${name}: its description must be text.`);
  if (parameters !== undefined && !isRecord(parameters))
    throw new Error(`${name}: its parameters must be a JSON schema.`);
  return {
    type: "function",
    function: {
      name,
      ...(description !== undefined && { description }),
      ...(parameters !== undefined && { parameters }),
    },
  };
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
