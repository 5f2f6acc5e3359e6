/** The keyboard: one table, for the keys and for the page that explains them. */

import { sidebarOpen } from "../storage/preferences";
import { newChat, stop } from "./actions";
import { composerField } from "./draft";
import { busy, panel } from "./state";

interface Shortcut {
  keys: string[];
  does: string;
  matches: (event: KeyboardEvent) => boolean;
  run: () => void;
}

const apple = /Mac|iP/.test(navigator.platform);
const MOD = apple ? "⌘" : "Ctrl";

export const SHORTCUTS: Shortcut[] = [
  { keys: [MOD, "Shift", "O"], does: "New chat", matches: withMod("o", true), run: newChat },
  { keys: [MOD, "K"], does: "Search the conversations", matches: withMod("k"), run: focusSearch },
  {
    keys: [MOD, "B"],
    does: "Show or hide the conversations",
    matches: withMod("b"),
    run: () => void (sidebarOpen.value = !sidebarOpen.value),
  },
  {
    keys: [MOD, ","],
    does: "Settings",
    matches: withMod(","),
    run: () => void (panel.value = panel.value === "settings" ? null : "settings"),
  },
  { keys: ["/"], does: "Write a message", matches: plain("/"), run: () => composerField()?.focus() },
  { keys: ["?"], does: "This help", matches: plain("?"), run: () => void (panel.value = "shortcuts") },
  { keys: ["Esc"], does: "Stop the answer", matches: (event) => event.key === "Escape" && busy.value, run: stop },
];

/** Keys that fields handle themselves. */
export const FIELD_KEYS = [
  { keys: ["Enter"], does: "Send" },
  { keys: ["Shift", "Enter"], does: "New line" },
  { keys: ["↑"], does: "Edit the last message, from an empty field" },
];

export function handleKey(event: KeyboardEvent): void {
  if (event.isComposing || event.defaultPrevented || document.querySelector("dialog[open]")) return;
  const shortcut = SHORTCUTS.find(({ matches }) => matches(event));
  if (!shortcut) return;
  event.preventDefault();
  shortcut.run();
}

function focusSearch(): void {
  sidebarOpen.value = true;
  requestAnimationFrame(() => document.querySelector<HTMLInputElement>("#search")?.focus());
}

function withMod(key: string, shift = false): Shortcut["matches"] {
  return (event) =>
    (apple ? event.metaKey : event.ctrlKey) &&
    event.shiftKey === shift &&
    !event.altKey &&
    event.key.toLowerCase() === key;
}

/** A key that types a character where one can type. */
function plain(key: string): Shortcut["matches"] {
  return (event) =>
    event.key === key &&
    !event.ctrlKey &&
    !event.metaKey &&
    !(event.target as Element).closest("input, textarea, select");
}
