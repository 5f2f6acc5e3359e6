import { expect, test } from "vitest";
import { failureOf } from "./client";

const body = { error: { message: "Too many requests wait." } };

test.each([
  [401, null, "key"],
  [400, null, "refused"],
  [413, null, "refused"],
  [500, null, "failed"],
  [503, null, "failed"],
])("status %i with Retry-After %j is %s", (status, retryAfter, kind) => {
  expect(failureOf(status, retryAfter, body)).toEqual({ kind, message: "Too many requests wait." });
});

test.each([
  [429, "7", 7],
  [429, null, 5],
  [429, "Wed, 21 Oct 2026 07:28:00 GMT", 5],
  [429, "1000000", 600],
  [503, "1", 1],
])("status %i with Retry-After %j may be tried again in %i s", (status, retryAfter, seconds) => {
  const failure = failureOf(status, retryAfter, body);
  expect(failure.kind).toBe("busy");
  expect(failure.retryAt! / 1000 - Date.now() / 1000).toBeCloseTo(seconds, 0);
});

test("a body in no known shape is not shown", () => {
  expect(failureOf(502, null, "<html>").message).toBe("The server answered with status 502.");
});
