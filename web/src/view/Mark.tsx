/** The sign of the house: an m that a wind draws. */
export function Mark({ size = 24 }: { size?: number }) {
  return (
    <svg class="mark" width={size} height={size} viewBox="0 0 32 32" aria-hidden="true">
      <path d="M4 24V14.5a5.5 5.5 0 0 1 11 0V24" />
      <path d="M15 14.5a5.5 5.5 0 0 1 11 0v5.2c0 2.6 1.6 4.3 4 4.3" />
    </svg>
  );
}
