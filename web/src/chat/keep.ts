/** Changes of conversations, in memory at once and in the database soon after. */

import type { Conversation } from "../conversation/tree";
import * as database from "../storage/database";
import { currentId, loaded, notify, running, summaries } from "./state";

const SAVE_MS = 800;
const waiting = new Map<string, ReturnType<typeof setTimeout>>();
/** Other tabs of this page, which have the same conversations: each says which one it has changed. */
const tabs = new BroadcastChannel("mistralet");

tabs.onmessage = async ({ data: id }: MessageEvent<string>) => {
  await refreshList();
  if (!loaded.value[id]) return;
  const changed = await database.load(id).catch(() => undefined);
  const written = changed?.messages.every((message) => message.role !== "assistant" || message.finish !== null);
  if (changed && written && !running.value.has(id) && !waiting.has(id)) put(changed);
};

export function put(conversation: Conversation): void {
  loaded.value = { ...loaded.value, [conversation.id]: conversation };
}

/** Change a conversation that is in memory, and save it. */
export function update(id: string, change: (conversation: Conversation) => Conversation): void {
  const conversation = loaded.value[id];
  if (!conversation) return;
  put(change(conversation));
  if (!waiting.has(id))
    waiting.set(
      id,
      setTimeout(() => void saveNow(id), SAVE_MS),
    );
}

export async function saveNow(id: string): Promise<void> {
  clearTimeout(waiting.get(id));
  waiting.delete(id);
  const conversation = loaded.value[id];
  if (conversation) await write(conversation);
}

/** Save everything that waits; the page is about to go. */
export function saveAll(): void {
  for (const id of waiting.keys()) void saveNow(id);
}

export async function write(conversation: Conversation): Promise<void> {
  try {
    await database.save(conversation);
  } catch {
    notify("This conversation cannot be kept: the browser refuses to store it.");
  }
  list(database.summarize(conversation));
  tabs.postMessage(conversation.id);
}

export async function forget(id: string): Promise<void> {
  clearTimeout(waiting.get(id));
  waiting.delete(id);
  loaded.value = Object.fromEntries(Object.entries(loaded.value).filter(([other]) => other !== id));
  summaries.value = summaries.value.filter((summary) => summary.id !== id);
  await database.remove(id).catch(() => notify("The browser refuses to delete this conversation."));
  tabs.postMessage(id);
}

/** Keep in memory only what is shown or being answered. */
export function unloadOthers(): void {
  const kept = Object.entries(loaded.value).filter(
    ([id]) => id === currentId.value || running.value.has(id) || waiting.has(id),
  );
  loaded.value = Object.fromEntries(kept);
}

export async function refreshList(): Promise<void> {
  const all = await database.allSummaries().catch(() => summaries.value);
  summaries.value = all.sort((a, b) => b.updated - a.updated);
}

function list(summary: database.Summary): void {
  const others = summaries.value.filter(({ id }) => id !== summary.id);
  summaries.value = [...others, summary].sort((a, b) => b.updated - a.updated);
}
