/** An answer that grows by the chunks of a stream. */

import type { Timing, ToolCall, Usage } from "../conversation/messages";

export interface Chunk {
  choices?: { delta?: Delta; finish_reason?: string | null }[];
  usage?: { prompt_tokens: number; completion_tokens: number } | null;
}

interface Delta {
  content?: string | null;
  tool_calls?: { index: number; id?: string; function?: { name?: string; arguments?: string } }[];
}

export interface Answer {
  text: string;
  toolCalls: ToolCall[];
  finish: string | null;
  /** Until the server has counted, one token is taken for each piece. */
  usage: Usage | null;
  timing: Timing | null;
  pieces: number;
}

export const NO_ANSWER: Answer = { text: "", toolCalls: [], finish: null, usage: null, timing: null, pieces: 0 };

/** @param elapsed milliseconds since the request was sent. */
export function absorb(answer: Answer, chunk: Chunk, elapsed: number): Answer {
  const next = { ...answer };
  for (const { delta, finish_reason } of chunk.choices ?? []) {
    if (delta?.content || delta?.tool_calls?.length) {
      next.text += delta.content ?? "";
      next.toolCalls = (delta.tool_calls ?? []).reduce(addCall, next.toolCalls);
      next.timing = { first: answer.timing?.first ?? elapsed, last: elapsed };
      next.pieces += 1;
    }
    next.finish = finish_reason ?? next.finish;
  }
  if (chunk.usage) next.usage = { prompt: chunk.usage.prompt_tokens, completion: chunk.usage.completion_tokens };
  return next;
}

function addCall(
  calls: ToolCall[],
  { index, id, function: piece }: NonNullable<Delta["tool_calls"]>[number],
): ToolCall[] {
  const old = calls[index] ?? { id: "", name: "", arguments: "" };
  const call = {
    id: id ?? old.id,
    name: old.name + (piece?.name ?? ""),
    arguments: old.arguments + (piece?.arguments ?? ""),
  };
  return [...calls.slice(0, index), call, ...calls.slice(index + 1)];
}

/** Pieces that came at once say nothing of the speed they were made at. */
const SHORTEST_SPAN = 200;

/** Tokens a second after the first one, or null where too few came to tell. */
export function tokenRate(tokens: number, timing: Timing | null): number | null {
  const span = timing === null ? 0 : timing.last - timing.first;
  return span < SHORTEST_SPAN ? null : (1000 * (tokens - 1)) / span;
}
