const DAY = 86_400_000;
const AGES = [
  { label: "Today", days: 0 },
  { label: "Yesterday", days: 1 },
  { label: "Last 7 days", days: 7 },
  { label: "Last 30 days", days: 30 },
  { label: "Older", days: Infinity },
];

/** Items that are sorted, newest first, in groups by the days since then; empty groups are left out. */
export function groupByAge<T extends { updated: number }>(items: T[], now: number): { label: string; items: T[] }[] {
  const midnight = new Date(now).setHours(0, 0, 0, 0);
  const ageOf = ({ updated }: T): number => Math.max(0, Math.ceil((midnight - updated) / DAY));
  const groups = AGES.map(({ label }) => ({ label, items: [] as T[] }));
  for (const item of items) groups[AGES.findIndex(({ days }) => ageOf(item) <= days)]!.items.push(item);
  return groups.filter((group) => group.items.length > 0);
}
