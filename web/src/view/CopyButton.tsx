import { useSignal } from "@preact/signals";
import { Check, Copy } from "lucide";
import { copyText } from "../text/clipboard";
import { IconButton } from "./Icon";

export const COPIED_MS = 1600;

export function CopyButton({ text }: { text: string }) {
  const copied = useSignal(false);
  const copy = async (): Promise<void> => {
    await copyText(text);
    copied.value = true;
    setTimeout(() => (copied.value = false), COPIED_MS);
  };
  return (
    <IconButton
      icon={copied.value ? Check : Copy}
      size={16}
      label={copied.value ? "Copied" : "Copy"}
      onClick={() => void copy()}
    />
  );
}
