import { contextUsed, model } from "../chat/state";

const RADIUS = 7;
const ROUND = 2 * Math.PI * RADIUS;
const NEARLY_FULL = 0.85;

/** How much of the model's context the conversation takes. */
export function ContextMeter() {
  const used = contextUsed.value;
  const length = model.value?.contextLength;
  if (!length || used === 0) return null;
  const share = Math.min(1, used / length);
  const text = `${used.toLocaleString("en")} of ${length.toLocaleString("en")} tokens of context used`;
  return (
    <span
      class="context"
      role="meter"
      aria-label="Context used"
      aria-valuemin={0}
      aria-valuemax={length}
      aria-valuenow={used}
      aria-valuetext={text}
      title={text}
      data-full={share > NEARLY_FULL}
    >
      <span class="context-text">
        {short(used)} / {short(length)}
      </span>
      <svg width="20" height="20" viewBox="0 0 20 20" aria-hidden="true">
        <circle cx="10" cy="10" r={RADIUS} />
        <circle cx="10" cy="10" r={RADIUS} class="used" stroke-dasharray={`${Math.max(share * ROUND, 1)} ${ROUND}`} />
      </svg>
    </span>
  );
}

function short(tokens: number): string {
  return tokens < 1000 ? String(tokens) : `${(tokens / 1000).toFixed(tokens < 9950 ? 1 : 0)}k`;
}
