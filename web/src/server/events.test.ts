import { expect, test } from "vitest";
import { EventReader } from "./events";

const STREAM = ": hello\r\ndata: one\r\n\r\ndata:two\n\nevent: x\ndata: a\ndata: b\n\n\ndata: ü €\r\rdata: cut";
const EVENTS = ["one", "two", "a\nb", "ü €"];

test("events are the same, however the text is cut", () => {
  for (let size = 1; size <= STREAM.length; size++) {
    const reader = new EventReader();
    const events: string[] = [];
    for (let at = 0; at < STREAM.length; at += size) events.push(...reader.push(STREAM.slice(at, at + size)));
    expect(events).toEqual(EVENTS);
  }
});
