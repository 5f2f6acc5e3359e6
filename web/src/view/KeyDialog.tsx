import { useSignal } from "@preact/signals";
import { retry } from "../chat/actions";
import { connect } from "../chat/connect";
import { connection, panel, path } from "../chat/state";
import { apiKey } from "../storage/preferences";
import { Dialog } from "./Dialog";

export function KeyDialog() {
  const typed = useSignal(apiKey.value);
  const submit = async (event: SubmitEvent): Promise<void> => {
    event.preventDefault();
    apiKey.value = typed.value.trim();
    panel.value = null;
    await connect();
    const last = path.value.at(-1);
    if (connection.value === "ready" && last?.role === "assistant" && last.failure?.kind === "key") retry(last);
  };
  return (
    <Dialog label="API key" class="card key" onClose={() => (panel.value = null)}>
      <form onSubmit={(event) => void submit(event)}>
        <h2>This server wants a key</h2>
        <p>
          {apiKey.value ? "It does not take the one it was given. " : ""}Ask whoever runs it. The key is kept in this
          browser and sent to this server only.
        </p>
        <input
          type="password"
          aria-label="API key"
          autocomplete="off"
          spellcheck={false}
          value={typed.value}
          onInput={(event) => (typed.value = event.currentTarget.value)}
        />
        <div class="buttons">
          <button type="submit" class="button primary" disabled={!typed.value.trim()}>
            Use this key
          </button>
        </div>
      </form>
    </Dialog>
  );
}
