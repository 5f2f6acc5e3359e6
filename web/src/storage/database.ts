/** Conversations in the browser's IndexedDB: each whole, and a summary of each for the list and its search. */

import type { Conversation } from "../conversation/tree";

export interface Summary {
  id: string;
  title: string;
  updated: number;
  /** All that was said, in small letters, to search in. */
  text: string;
}

const STORES = ["conversations", "summaries"] as const;

export function summarize({ id, title, updated, messages }: Conversation): Summary {
  return { id, title, updated, text: [title, ...messages.map((message) => message.text)].join("\n").toLowerCase() };
}

export function allSummaries(): Promise<Summary[]> {
  return within("readonly", (transaction) => transaction.objectStore("summaries").getAll());
}

export function allConversations(): Promise<Conversation[]> {
  return within("readonly", (transaction) => transaction.objectStore("conversations").getAll());
}

export function load(id: string): Promise<Conversation | undefined> {
  return within("readonly", (transaction) => transaction.objectStore("conversations").get(id));
}

export function save(conversation: Conversation): Promise<unknown> {
  return within("readwrite", (transaction) => {
    transaction.objectStore("summaries").put(summarize(conversation));
    return transaction.objectStore("conversations").put(conversation);
  });
}

export function remove(id: string): Promise<unknown> {
  return within("readwrite", (transaction) => {
    transaction.objectStore("summaries").delete(id);
    return transaction.objectStore("conversations").delete(id);
  });
}

let opened: Promise<IDBDatabase> | undefined;

function database(): Promise<IDBDatabase> {
  return (opened ??= new Promise((resolve, reject) => {
    const request = indexedDB.open("mistralet", 1);
    request.onupgradeneeded = () => STORES.forEach((name) => request.result.createObjectStore(name, { keyPath: "id" }));
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  }));
}

/** Run one transaction; what it gives is there when all of it is written. */
async function within<T>(mode: IDBTransactionMode, work: (transaction: IDBTransaction) => IDBRequest<T>): Promise<T> {
  const transaction = (await database()).transaction(STORES, mode);
  const request = work(transaction);
  // Without this, what is written while the page goes away would be lost.
  transaction.commit();
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve(request.result);
    transaction.onabort = () => reject(transaction.error);
  });
}
