/** The server's API, and what can go wrong with it. Addresses are relative: the page works below any path. */

import type { Failure } from "../conversation/messages";
import { isRecord } from "../conversation/options";
import type { Chunk } from "./answer";
import { EventReader } from "./events";

export interface Model {
  id: string;
  /** Tokens that prompt and answer may have together, if the server says so. */
  contextLength: number | null;
  /** Whether it sees pictures, if the server says so. */
  vision: boolean | null;
}

/** Seconds. */
const USUAL_WAIT = 5;
const LONGEST_WAIT = 600;

export class ServerFailure extends Error {
  constructor(readonly failure: Failure) {
    super(failure.message);
  }
}

export async function listModels(key: string): Promise<Model[]> {
  const response = await request("v1/models", key, {});
  const body: unknown = await response.json();
  const data = isRecord(body) && Array.isArray(body.data) ? body.data.filter(isRecord) : [];
  return data.map(({ id, max_model_len: length, vision }) => ({
    id: String(id),
    contextLength: typeof length === "number" ? length : null,
    vision: typeof vision === "boolean" ? vision : null,
  }));
}

/** Send a chat completion request and give its chunks as they come. */
export async function* streamChat(
  body: Record<string, unknown>,
  key: string,
  signal: AbortSignal,
): AsyncGenerator<Chunk> {
  const response = await request("v1/chat/completions", key, {
    method: "POST",
    body: JSON.stringify(body),
    headers: { "Content-Type": "application/json" },
    signal,
  });
  const reader = new EventReader();
  const text = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  for (;;) {
    const { done, value } = await text.read().catch((error: unknown) => {
      throw signal.aborted ? error : broken();
    });
    if (done) throw broken();
    for (const data of reader.push(value)) {
      if (data === "[DONE]") return;
      yield readChunk(data);
    }
  }
}

function readChunk(data: string): Chunk {
  let chunk: unknown;
  try {
    chunk = JSON.parse(data);
  } catch {
    throw new ServerFailure({ kind: "failed", message: "The server sent something that is not part of an answer." });
  }
  if (isRecord(chunk) && isRecord(chunk.error)) {
    throw new ServerFailure({ kind: "failed", message: sentence(chunk) ?? "The server failed while it answered." });
  }
  return chunk as Chunk;
}

async function request(path: string, key: string, init: RequestInit): Promise<Response> {
  const headers = { ...init.headers, ...(key && { Authorization: `Bearer ${key}` }) };
  const response = await fetch(path, { ...init, headers }).catch((error: unknown) => {
    if (init.signal?.aborted) throw error;
    throw new ServerFailure({ kind: "unreachable", message: "The server does not answer. Is it still running?" });
  });
  if (response.ok) return response;
  throw new ServerFailure(
    failureOf(response.status, response.headers.get("Retry-After"), await response.json().catch(() => null)),
  );
}

/** What a status and an error body in OpenAI's shape mean. */
export function failureOf(status: number, retryAfter: string | null, body: unknown): Failure {
  const message = sentence(body) ?? `The server answered with status ${status}.`;
  if (status === 401) return { kind: "key", message };
  if (status === 429 || (status === 503 && retryAfter !== null)) {
    const seconds = retryAfter === null ? NaN : Number(retryAfter);
    return {
      kind: "busy",
      message,
      retryAt: Date.now() + 1000 * (seconds >= 0 ? Math.min(seconds, LONGEST_WAIT) : USUAL_WAIT),
    };
  }
  return { kind: status < 500 ? "refused" : "failed", message };
}

function sentence(body: unknown): string | null {
  return isRecord(body) && isRecord(body.error) && typeof body.error.message === "string" ? body.error.message : null;
}

function broken(): ServerFailure {
  return new ServerFailure({ kind: "broken", message: "The connection was lost before the answer was complete." });
}
