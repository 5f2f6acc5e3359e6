/** What is being written in the message field. */

import { signal } from "@preact/signals";
import type { Attachment } from "../conversation/messages";
import { attach } from "../storage/attach";
import { model, notify } from "./state";

const MOST_FILES = 16;

export const draft = signal("");
export const attachments = signal<Attachment[]>([]);

export async function addFiles(files: Iterable<File>): Promise<void> {
  for (const file of files) {
    if (attachments.value.length >= MOST_FILES) return notify(`A message takes ${MOST_FILES} files at most.`);
    try {
      const attachment = await attach(file);
      if (attachment.kind === "image" && model.value?.vision === false)
        return notify(`${model.value.id} reads text only and sees no pictures.`);
      attachments.value = [...attachments.value, attachment];
    } catch (error) {
      notify((error as Error).message);
    }
  }
}

export function dropAttachment(gone: Attachment): void {
  attachments.value = attachments.value.filter((attachment) => attachment !== gone);
}

export function composerField(): HTMLTextAreaElement | null {
  return document.querySelector<HTMLTextAreaElement>("#message");
}

/** Put a text into the message field, with the cursor where the reader goes on. */
export function startWith(text: string, cursor = text.length): void {
  draft.value = text;
  requestAnimationFrame(() => {
    const field = composerField();
    field?.focus();
    field?.setSelectionRange(cursor, cursor);
  });
}
