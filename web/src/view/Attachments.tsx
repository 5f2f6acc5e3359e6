import { useSignal } from "@preact/signals";
import { FileText, X } from "lucide";
import type { Attachment } from "../conversation/messages";
import { Dialog } from "./Dialog";
import { Icon, IconButton } from "./Icon";

interface Props {
  of: Attachment[];
  onRemove?: (attachment: Attachment) => void;
}

export function Attachments({ of, onRemove }: Props) {
  const shown = useSignal<Attachment | null>(null);
  if (of.length === 0) return null;
  return (
    <ul class="attachments" aria-label="Attachments" data-only={of.length === 1}>
      {of.map((attachment, index) => (
        <li key={index} class={`attachment ${attachment.kind}`}>
          {attachment.kind === "image" ? (
            <button
              type="button"
              class="thumbnail"
              aria-label={`Show ${attachment.name}`}
              onClick={() => (shown.value = attachment)}
            >
              <img src={attachment.data} alt={attachment.name} />
            </button>
          ) : (
            <span class="file">
              <Icon of={FileText} />
              <span class="file-name">{attachment.name}</span>
              <span class="file-kind">{attachment.kind === "pdf" ? "PDF" : "Text"}</span>
            </span>
          )}
          {onRemove && (
            <IconButton
              icon={X}
              size={14}
              label={`Remove ${attachment.name}`}
              class="remove"
              onClick={() => onRemove(attachment)}
            />
          )}
        </li>
      ))}
      {shown.value && (
        <Dialog label={shown.value.name} class="lightbox" onClose={() => (shown.value = null)}>
          <img src={shown.value.data} alt={shown.value.name} />
        </Dialog>
      )}
    </ul>
  );
}
