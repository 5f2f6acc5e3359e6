/** Files that are pasted, dropped or chosen, as attachments. */

import type { Attachment } from "../conversation/messages";

/** The longest side of a picture the model sees (`max_image_size` of Mistral Small 3.1); more would be sent in vain. */
const LONGEST_SIDE = 1540;
const LARGEST_PDF = 32 * 2 ** 20;
const LARGEST_TEXT = 2 ** 20;
const SENT_AS_IT_IS = ["image/png", "image/jpeg", "image/webp"];

/** What the file chooser offers; a dropped file is looked at, whatever its name. */
export const ACCEPTED =
  "image/*,application/pdf,text/*,.md,.json,.csv,.py,.ts,.js,.rs,.c,.cpp,.h,.go,.java,.toml,.yaml,.yml";

/** @throws Error with a sentence for the reader. */
export async function attach(file: File): Promise<Attachment> {
  const name = file.name || "pasted";
  if (file.type.startsWith("image/")) return { kind: "image", name, data: await readImage(file) };
  if (file.type === "application/pdf") {
    if (file.size > LARGEST_PDF) throw new Error(`${name} is larger than 32 MB.`);
    return { kind: "pdf", name, data: await dataUrl(file) };
  }
  if (file.size > LARGEST_TEXT) throw new Error(`${name} is no image and no PDF, and too large for a text.`);
  try {
    return { kind: "text", name, data: new TextDecoder("utf-8", { fatal: true }).decode(await file.arrayBuffer()) };
  } catch {
    throw new Error(`${name} cannot be sent: it is no image, no PDF and no text.`);
  }
}

async function readImage(file: File): Promise<string> {
  const picture = await createImageBitmap(file).catch(() => {
    throw new Error(`${file.name} is an image that this browser cannot read.`);
  });
  const scale = Math.min(1, LONGEST_SIDE / Math.max(picture.width, picture.height));
  if (scale === 1 && SENT_AS_IT_IS.includes(file.type)) return dataUrl(file);
  const canvas = new OffscreenCanvas(
    Math.max(1, Math.round(picture.width * scale)),
    Math.max(1, Math.round(picture.height * scale)),
  );
  canvas.getContext("2d")!.drawImage(picture, 0, 0, canvas.width, canvas.height);
  return dataUrl(
    await canvas.convertToBlob({ type: file.type === "image/jpeg" ? "image/jpeg" : "image/png", quality: 0.92 }),
  );
}

function dataUrl(blob: Blob): Promise<string> {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result as string);
    reader.onerror = () => reject(new Error("The file cannot be read."));
    reader.readAsDataURL(blob);
  });
}
