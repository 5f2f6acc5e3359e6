/** What the browser remembers beside the conversations. */

import { effect, type Signal, signal } from "@preact/signals";
import { NO_OPTIONS, type Options } from "../conversation/options";

export type Theme = "system" | "light" | "dark";

/** Kept as plain text, for theme.js reads it before the first paint. */
export const theme = signal((localStorage.getItem("mistralet.theme") as Theme | null) ?? "system");
effect(() => {
  localStorage.setItem("mistralet.theme", theme.value);
  document.documentElement.dataset.theme = theme.value;
});

export const apiKey = remembered("key", "");
export const chosenModel = remembered("model", "");
export const sidebarOpen = remembered("sidebar", true);
/** What a new conversation starts with: what was set last. */
export const lastOptions = remembered<Options>("options", NO_OPTIONS);

function remembered<T>(name: string, initial: T): Signal<T> {
  const key = `mistralet.${name}`;
  const stored = localStorage.getItem(key);
  const value = signal<T>(stored === null ? initial : (JSON.parse(stored) as T));
  effect(() => localStorage.setItem(key, JSON.stringify(value.value)));
  return value;
}
