import { useSignal } from "@preact/signals";
import { Download, Keyboard, Monitor, Moon, Pencil, Search, SquarePen, Sun, Trash2, Upload } from "lucide";
import { newChat, remove, rename } from "../chat/actions";
import { currentId, panel, running, summaries } from "../chat/state";
import { exportAll, exportOne, importFile } from "../chat/transfer";
import type { Summary } from "../storage/database";
import { sidebarOpen, theme } from "../storage/preferences";
import { Icon, IconButton } from "./Icon";
import { Mark } from "./Mark";
import { groupByAge } from "./ages";

const NARROW = matchMedia("(max-width: 800px)");
if (NARROW.matches) sidebarOpen.value = false;

export function Sidebar() {
  const query = useSignal("");
  const found = summaries.value.filter(({ text }) => words(query.value).every((word) => text.includes(word)));
  return (
    <>
      <nav class="sidebar" aria-label="Conversations" inert={!sidebarOpen.value}>
        <div class="brand">
          <Mark />
          <span>mistralet</span>
        </div>
        <button type="button" class="new-chat" onClick={startNew}>
          <Icon of={SquarePen} /> New chat
        </button>
        <label class="search">
          <Icon of={Search} size={16} />
          <input
            id="search"
            type="search"
            placeholder="Search"
            aria-label="Search conversations"
            value={query.value}
            onInput={(event) => (query.value = event.currentTarget.value)}
          />
        </label>
        <div class="conversations">
          {groupByAge(found, Date.now()).map(({ label, items }) => (
            <section key={label}>
              <h2>{label}</h2>
              <ul>
                {items.map((summary) => (
                  <Entry key={summary.id} summary={summary} />
                ))}
              </ul>
            </section>
          ))}
          {found.length === 0 && (
            <p class="nothing">
              {query.value ? "Nothing found." : "What you talk about is kept here, in this browser only."}
            </p>
          )}
        </div>
        <Footer />
      </nav>
      <div class="scrim" onClick={() => (sidebarOpen.value = false)} />
    </>
  );
}

function Entry({ summary: { id, title } }: { summary: Summary }) {
  const renaming = useSignal(false);
  const finish = (text: string | null): void => {
    if (!renaming.value) return; // Escape takes the field away, which then loses the focus, too.
    renaming.value = false;
    if (text !== null) void rename(id, text);
  };
  if (renaming.value) {
    return (
      <li class="entry">
        <input
          class="rename"
          aria-label="Title"
          value={title}
          ref={(field) => field?.focus()}
          onFocus={(event) => event.currentTarget.select()}
          onBlur={(event) => finish(event.currentTarget.value)}
          onKeyDown={(event) => {
            if (event.isComposing) return;
            if (event.key === "Enter") finish(event.currentTarget.value);
            if (event.key === "Escape") finish(null);
            event.stopPropagation();
          }}
        />
      </li>
    );
  }
  return (
    <li class="entry" data-current={id === currentId.value}>
      <a href={`#/${id}`} aria-current={id === currentId.value ? "page" : undefined} onClick={makeRoom} title={title}>
        {running.value.has(id) && <i class="model-dot working" />}
        {title}
      </a>
      <span class="entry-actions">
        <IconButton icon={Pencil} size={15} label={`Rename “${title}”`} onClick={() => (renaming.value = true)} />
        <IconButton icon={Download} size={15} label={`Export “${title}”`} onClick={() => void exportOne(id)} />
        <IconButton icon={Trash2} size={15} label={`Delete “${title}”`} onClick={() => void remove(id)} />
      </span>
    </li>
  );
}

const NEXT_THEME = { system: "light", light: "dark", dark: "system" } as const;
const THEME_ICON = { system: Monitor, light: Sun, dark: Moon };

function Footer() {
  return (
    <div class="sidebar-footer">
      <IconButton
        icon={THEME_ICON[theme.value]}
        label={`Theme: ${theme.value}`}
        onClick={() => (theme.value = NEXT_THEME[theme.value])}
      />
      <IconButton icon={Keyboard} label="Keyboard shortcuts" onClick={() => (panel.value = "shortcuts")} />
      <span class="gap" />
      <label class="icon-button" title="Import conversations">
        <Icon of={Upload} />
        <input
          type="file"
          class="unseen"
          accept=".json,application/json"
          aria-label="Import conversations"
          onChange={(event) => importChosen(event.currentTarget)}
        />
      </label>
      <IconButton icon={Download} label="Export all conversations" onClick={() => void exportAll()} />
    </div>
  );
}

function importChosen(input: HTMLInputElement): void {
  const file = input.files?.[0];
  if (file) void importFile(file);
  input.value = "";
}

function startNew(): void {
  newChat();
  makeRoom();
}

/** On a narrow window the list lies over the conversation. */
function makeRoom(): void {
  if (NARROW.matches) sidebarOpen.value = false;
}

function words(query: string): string[] {
  return query.toLowerCase().split(/\s+/).filter(Boolean);
}
