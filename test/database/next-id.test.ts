import { expect, test } from "vitest";

import { followId } from "../../app/database/next-id.ts";

const now = Date.UTC(2026, 10, 22);

test("an id is a UUID version 7 that carries the time of its making", () => {
  const id = followId(undefined, now);
  expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  expect(Number.parseInt(id.replaceAll("-", "").slice(0, 12), 16)).toBe(now);
});

test("ids sort in order of creation within a millisecond, beyond its 4,096, and when the clock goes back", () => {
  const ids = [followId(undefined, now)];
  for (let made = 1; made < 10_000; made += 1) ids.push(followId(ids.at(-1), now - (made % 7) * 1000));
  expect(ids).toEqual(ids.toSorted());
  expect(new Set(ids).size).toBe(10_000);
});

test("ids carry the time again as soon as the clock is ahead of the newest id", () => {
  const newest = followId(followId(undefined, now), now);
  expect(followId(newest, now + 1).slice(0, 18)).toBe(followId(undefined, now + 1).slice(0, 18));
});

test.each([
  "42",
  "zzz",
  "",
  "ffffffff-ffff-7fff-bfff-ffffffffffff",
  "ffffffff-ffff-7000-8000-000000000000",
  "f47ac10b-58cc-4372-a567-0e02b2c3d479",
  "019AA000-0000-7000-8000-000000000000",
])("after the foreign id %j an id has the current time, and nothing overflows", (foreign) => {
  expect(followId(foreign, now).slice(0, 18)).toBe(followId(undefined, now).slice(0, 18));
});
