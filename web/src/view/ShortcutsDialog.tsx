import { FIELD_KEYS, SHORTCUTS } from "../chat/shortcuts";
import { panel } from "../chat/state";
import { Dialog } from "./Dialog";

export function ShortcutsDialog() {
  return (
    <Dialog label="Keyboard shortcuts" class="card shortcuts" onClose={() => (panel.value = null)}>
      <h2>Keyboard</h2>
      <dl>
        {[...FIELD_KEYS, ...SHORTCUTS].map(({ keys, does }) => (
          <div key={does}>
            <dt>{does}</dt>
            <dd>
              {keys.map((key) => (
                <kbd key={key}>{key}</kbd>
              ))}
            </dd>
          </div>
        ))}
      </dl>
    </Dialog>
  );
}
