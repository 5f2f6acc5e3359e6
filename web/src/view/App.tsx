import { signal } from "@preact/signals";
import { addFiles } from "../chat/draft";
import { announcement, connection, panel, path } from "../chat/state";
import { sidebarOpen } from "../storage/preferences";
import { Composer } from "./Composer";
import { Header } from "./Header";
import { KeyDialog } from "./KeyDialog";
import { Notices } from "./Notices";
import { Settings } from "./Settings";
import { ShortcutsDialog } from "./ShortcutsDialog";
import { Sidebar } from "./Sidebar";
import { Thread } from "./Thread";
import { Welcome } from "./Welcome";

const dragging = signal(false);

export function App() {
  return (
    <div
      class="app"
      data-sidebar={sidebarOpen.value ? "open" : "closed"}
      onDragOver={over}
      onDragLeave={leave}
      onDrop={drop}
    >
      <a class="skip" href="#message" onClick={skipToField}>
        Skip to the message field
      </a>
      <Sidebar />
      <main class="stage">
        <Header />
        {connection.value === "unreachable" && (
          <p class="banner" role="alert">
            The server does not answer. This page looks for it every few seconds.
          </p>
        )}
        {path.value.length > 0 ? <Thread /> : <Welcome />}
        <Notices />
        <Composer />
      </main>
      {panel.value === "settings" && <Settings />}
      {panel.value === "shortcuts" && <ShortcutsDialog />}
      {panel.value === "key" && <KeyDialog />}
      <div class="unseen" role="status">
        {announcement.value}
      </div>
      {dragging.value && <div class="drop-target">Drop images, PDFs or text files</div>}
    </div>
  );
}

function over(event: DragEvent): void {
  if (!event.dataTransfer?.types.includes("Files")) return;
  event.preventDefault();
  dragging.value = true;
}

function leave(event: DragEvent): void {
  if (event.relatedTarget === null) dragging.value = false;
}

function drop(event: DragEvent): void {
  if (!event.dataTransfer?.files.length) return;
  event.preventDefault();
  dragging.value = false;
  void addFiles(event.dataTransfer.files);
}

/** The address names the conversation, so that the link must not change it. */
function skipToField(event: MouseEvent): void {
  event.preventDefault();
  document.getElementById("message")?.focus();
}
