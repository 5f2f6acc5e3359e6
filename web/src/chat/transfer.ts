/** Export to a file and import from one. */

import { fromFile, toFile } from "../conversation/transfer";
import type { Conversation } from "../conversation/tree";
import * as database from "../storage/database";
import { put, saveAll, write } from "./keep";
import { loaded, notify, summaries } from "./state";

export async function exportAll(): Promise<void> {
  saveAll();
  const conversations = await database.allConversations().catch(() => Object.values(loaded.value));
  download(`mistralet-${new Date().toISOString().slice(0, 10)}.json`, conversations);
}

export async function exportOne(id: string): Promise<void> {
  const conversation = loaded.value[id] ?? (await database.load(id));
  if (conversation)
    download(`${conversation.title.replace(/[^\p{L}\p{N}]+/gu, "-").replace(/^-|-$/g, "") || "conversation"}.json`, [
      conversation,
    ]);
}

/** Conversations of the file that are here already are replaced where the file's are newer. */
export async function importFile(file: File): Promise<void> {
  try {
    const conversations = fromFile(await file.text());
    const here = new Map(summaries.value.map((summary) => [summary.id, summary.updated]));
    const newer = conversations.filter(({ id, updated }) => updated > (here.get(id) ?? -1));
    for (const conversation of newer) {
      if (loaded.value[conversation.id]) put(conversation);
      await write(conversation);
    }
    const old = conversations.length - newer.length;
    notify(`Imported ${counted(newer.length)}${old > 0 ? `, and found ${old} here already` : ""}.`);
  } catch (error) {
    notify((error as Error).message);
  }
}

function counted(count: number): string {
  return `${count} conversation${count === 1 ? "" : "s"}`;
}

function download(name: string, conversations: Conversation[]): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([toFile(conversations)], { type: "application/json" }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
