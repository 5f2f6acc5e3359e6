import { X } from "lucide";
import { dismiss, notices } from "../chat/state";
import { IconButton } from "./Icon";

export function Notices() {
  return (
    <div class="notices" role="status">
      {notices.value.map(({ id, text, action }) => (
        <div class="notice" key={id}>
          <span>{text}</span>
          {action && (
            <button
              type="button"
              class="button text"
              onClick={() => {
                dismiss(id);
                action.run();
              }}
            >
              {action.label}
            </button>
          )}
          <IconButton icon={X} size={15} label="Dismiss" onClick={() => dismiss(id)} />
        </div>
      ))}
    </div>
  );
}
