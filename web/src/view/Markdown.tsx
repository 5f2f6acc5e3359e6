import { useRef } from "preact/hooks";
import { copyText } from "../text/clipboard";
import { type Block, renderBlocks } from "../text/markdown";
import { COPIED_MS } from "./CopyButton";

export function Markdown({ text, growing }: { text: string; growing: boolean }) {
  const blocks = useRef<Block[]>([]);
  blocks.current = renderBlocks(text, blocks.current);
  return (
    <div class="prose" data-growing={growing && text !== ""} onClick={copyCode}>
      {blocks.current.map(({ html }, index) => (
        <div class="block" key={index} dangerouslySetInnerHTML={{ __html: html }} />
      ))}
    </div>
  );
}

function copyCode(event: MouseEvent): void {
  const button = (event.target as Element).closest(".copy-code");
  const code = button?.closest(".code")?.querySelector("code");
  if (!button || !code) return;
  void copyText(code.textContent.replace(/\n$/, "")).then(() => {
    button.textContent = "Copied";
    setTimeout(() => (button.textContent = "Copy"), COPIED_MS);
  });
}
