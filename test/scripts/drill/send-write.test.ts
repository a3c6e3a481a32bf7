import { expect, test } from "vitest";

import { readOutcome } from "../../../scripts/drill/send-write.ts";

const answer = (status: number, durability?: string, text = '{"id":"7"}') => ({
  status,
  text,
  headers: durability === undefined ? {} : { durability },
});

test("201 with the durability that was asked for is reached", () => {
  expect(readOutcome(answer(201, "bucket"), "bucket")).toEqual({ kind: "reached", id: "7", reached: "bucket" });
});

test("202 counts only at the durability that it names", () => {
  expect(readOutcome(answer(202, "disk"), "bucket")).toEqual({ kind: "fell-short", id: "7", reached: "disk" });
});

test("503 means refused, another 5xx means unknown", () => {
  expect(readOutcome(answer(503), "commit")).toEqual({ kind: "refused" });
  expect(readOutcome(answer(500), "commit")).toEqual({ kind: "unknown" });
});

test.each([
  [answer(201, "disk"), "a 201 that reached less than was asked for"],
  [answer(202, "bucket"), "a 202 that reached what was asked for"],
  [answer(201), "a 201 without the Durability header"],
  [answer(201, "bucket", "{}"), "a 201 without an id"],
  [answer(201, "bucket", "<html>"), "a 201 with HTML"],
  [answer(400), "a valid write refused with 400"],
  [answer(409), "a new name refused with 409"],
])("%o is an error: %s", (broken) => {
  expect(() => readOutcome(broken, "bucket")).toThrow();
});
