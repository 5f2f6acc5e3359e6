import type { IconNode } from "lucide";
import { h } from "preact";

/** A picture that says nothing by itself: the button around it carries the name. */
export function Icon({ of, size = 18 }: { of: IconNode; size?: number }) {
  return (
    <svg class="icon" width={size} height={size} viewBox="0 0 24 24" aria-hidden="true">
      {of.map(([tag, attributes]) => h(tag, attributes))}
    </svg>
  );
}

interface IconButtonProps {
  icon: IconNode;
  label: string;
  onClick: (event: MouseEvent) => void;
  class?: string;
  disabled?: boolean;
  size?: number;
  pressed?: boolean;
}

export function IconButton({ icon, label, size, pressed, class: extra = "", ...rest }: IconButtonProps) {
  return (
    <button
      type="button"
      class={`icon-button ${extra}`}
      aria-label={label}
      title={label}
      aria-pressed={pressed}
      {...rest}
    >
      <Icon of={icon} {...(size !== undefined && { size })} />
    </button>
  );
}
