import { expect, test } from "vitest";
import { groupByAge } from "./ages";

test("conversations are grouped by days, not by hours", () => {
  const now = new Date(2026, 4, 14, 0, 30).getTime();
  const at = (...date: [number, number, number, number]) => ({ updated: new Date(...date).getTime() });
  const items = [
    at(2026, 4, 14, 0),
    at(2026, 4, 13, 23),
    at(2026, 4, 13, 1),
    at(2026, 4, 8, 9),
    at(2026, 3, 20, 9),
    at(2025, 1, 1, 1),
  ];
  expect(groupByAge(items, now).map(({ label, items }) => [label, items.length])).toEqual([
    ["Today", 1],
    ["Yesterday", 2],
    ["Last 7 days", 1],
    ["Last 30 days", 1],
    ["Older", 1],
  ]);
});

test("a clock that was set back does no harm", () => {
  expect(groupByAge([{ updated: 2e12 }], 1e12)[0]!.label).toBe("Today");
});
