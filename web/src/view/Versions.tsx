import { ChevronLeft, ChevronRight } from "lucide";
import { showVersion } from "../chat/actions";
import { busy, current } from "../chat/state";
import type { Message } from "../conversation/messages";
import { versions } from "../conversation/tree";
import { IconButton } from "./Icon";

/** "2/3" between arrows, where a message has been edited or made again. */
export function Versions({ message }: { message: Message }) {
  if (!current.value) return null;
  const all = versions(current.value, message);
  const at = all.findIndex(({ id }) => id === message.id);
  if (all.length < 2 || at < 0) return null;
  const step = (by: number) => () => showVersion(all[at + by]!.id);
  return (
    <span class="versions" role="group" aria-label="Versions">
      <IconButton
        icon={ChevronLeft}
        size={16}
        label="Version before"
        disabled={at === 0 || busy.value}
        onClick={step(-1)}
      />
      <span>
        {at + 1}/{all.length}
      </span>
      <IconButton
        icon={ChevronRight}
        size={16}
        label="Next version"
        disabled={at === all.length - 1 || busy.value}
        onClick={step(1)}
      />
    </span>
  );
}
