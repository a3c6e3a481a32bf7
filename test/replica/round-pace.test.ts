import { expect, test } from "vitest";

import { RoundPace } from "../../app/replica/round-pace.ts";

const hourMs = 3_600_000;
const monthMs = 730 * hourMs;

/** Starts each round as soon as it may, for a time on a clock of its own. Returns how many began. */
function spend(clock: { now: number }, pace: RoundPace, forMs: number): number {
  const endAt = clock.now + forMs;
  for (let rounds = 0; ; rounds++) {
    clock.now += pace.delayMs;
    if (clock.now >= endAt) {
      clock.now = endAt;
      return rounds;
    }
    pace.noteStart();
  }
}

const open = (roundsPerMonth: number) => {
  const clock = { now: 0 };
  return { clock, pace: new RoundPace(roundsPerMonth, { now: () => clock.now }) };
};

test("the first round starts at once, and those after it as soon as the gap allows", () => {
  const { clock, pace } = open(26_000_000);
  expect(pace.delayMs).toBe(0);
  pace.noteStart();
  expect(pace.delayMs).toBe(20);
  expect(spend(clock, pace, 10_000)).toBeLessThanOrEqual(500);
  expect(spend(clock, pace, 10_000)).toBe(500);
});

test("a month of uninterrupted rounds costs what was stated, and an hour's more at most", () => {
  const roundsPerMonth = 2_000_000;
  const { clock, pace } = open(roundsPerMonth);
  const spent = spend(clock, pace, monthMs);
  expect(spent).toBeGreaterThan(roundsPerMonth * 0.99);
  expect(spent).toBeLessThanOrEqual(roundsPerMonth + roundsPerMonth / 730 + 1);
});

test("when nothing is saved up, rounds are as far apart as the price says; a quiet hour saves up again", () => {
  const { clock, pace } = open(26_280_000);
  spend(clock, pace, hourMs);
  expect(spend(clock, pace, 60_000)).toBeLessThanOrEqual(601);
  clock.now += hourMs;
  expect(spend(clock, pace, 60_000)).toBe(3_000);
});
