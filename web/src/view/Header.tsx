import { PanelLeft, Settings2, SquarePen } from "lucide";
import { newChat } from "../chat/actions";
import { connection, current, model, models, panel } from "../chat/state";
import { chosenModel, sidebarOpen } from "../storage/preferences";
import { IconButton } from "./Icon";

export function Header() {
  const open = sidebarOpen.value;
  const settings = panel.value === "settings";
  return (
    <header class="header">
      <IconButton
        icon={PanelLeft}
        label={open ? "Hide conversations" : "Show conversations"}
        onClick={() => (sidebarOpen.value = !open)}
      />
      {!open && <IconButton icon={SquarePen} label="New chat" onClick={newChat} />}
      <div class="header-text">
        <h1>{current.value?.title ?? <span class="unseen">New chat</span>}</h1>
        <ModelName />
      </div>
      <IconButton
        icon={Settings2}
        label="Settings"
        class="settings-button"
        pressed={settings}
        onClick={() => (panel.value = settings ? null : "settings")}
      />
    </header>
  );
}

const STATUS = { connecting: "Connecting …", unreachable: "Server not found", key: "API key needed", ready: "" };

function ModelName() {
  const state = connection.value;
  const name = model.value?.id ?? "";
  return (
    <span class="model" data-state={state} title={STATUS[state] || `Answers come from ${name}`}>
      <i class="model-dot" />
      {state === "ready" && models.value.length > 1 ? (
        <select aria-label="Model" value={name} onChange={(event) => (chosenModel.value = event.currentTarget.value)}>
          {models.value.map(({ id }) => (
            <option key={id}>{id}</option>
          ))}
        </select>
      ) : (
        <span class="model-name">{STATUS[state] || shortName(name)}</span>
      )}
    </span>
  );
}

/** A model may be named by its path. */
function shortName(id: string): string {
  return id.split("/").pop() ?? id;
}
