/** What the page knows, as signals; `actions.ts` and `generate.ts` change it, the views only read it. */

import { computed, signal } from "@preact/signals";
import { NO_OPTIONS, type Options } from "../conversation/options";
import { type Conversation, shownPath, tokensTaken } from "../conversation/tree";
import type { Model } from "../server/client";
import type { Summary } from "../storage/database";
import { chosenModel, lastOptions } from "../storage/preferences";

export const summaries = signal<Summary[]>([]);
/** The conversations that are in memory: the one that is shown, and those that are being answered. */
export const loaded = signal<Readonly<Record<string, Conversation>>>({});
export const currentId = signal<string | null>(null);
export const running = signal<ReadonlyMap<string, AbortController>>(new Map());

export const current = computed(() => (currentId.value === null ? undefined : loaded.value[currentId.value]));
export const path = computed(() => (current.value ? shownPath(current.value) : []));
export const busy = computed(() => currentId.value !== null && running.value.has(currentId.value));
export const options = computed<Options>(() => current.value?.options ?? { ...NO_OPTIONS, ...lastOptions.value });

export type Connection = "connecting" | "ready" | "unreachable" | "key";

export const models = signal<Model[]>([]);
export const connection = signal<Connection>("connecting");
export const model = computed(() => models.value.find(({ id }) => id === chosenModel.value) ?? models.value[0]);

export const contextUsed = computed(() => tokensTaken(path.value));

export type Panel = "settings" | "shortcuts" | "key" | null;

export const panel = signal<Panel>(null);
/** Said to screen readers. */
export const announcement = signal("");

export interface Notice {
  id: number;
  text: string;
  action?: { label: string; run: () => void };
}

export const notices = signal<Notice[]>([]);

const NOTICE_MS = 8000;
let noticeCount = 0;

export function notify(text: string, action?: Notice["action"]): void {
  const id = ++noticeCount;
  notices.value = [...notices.value, { id, text, ...(action && { action }) }];
  setTimeout(() => dismiss(id), NOTICE_MS);
}

export function dismiss(id: number): void {
  notices.value = notices.value.filter((notice) => notice.id !== id);
}
