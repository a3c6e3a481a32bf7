import { expect, test } from "vitest";

import { waitFor } from "../../app/cli/wait-for.ts";
import { RoundPace } from "../../app/replica/round-pace.ts";
import { SharedRounds } from "../../app/replica/shared-rounds.ts";

const patientMs = 10_000;
const outOfTime = () => new Error("out of time");

test("a caller that comes during a round is served only by the next one", async () => {
  const { rounds, started, startedRound } = controlRounds();
  const first = rounds.join(patientMs, outOfTime);
  const roundOne = await startedRound(1);
  let secondIsServed = false;
  const second = rounds.join(patientMs, outOfTime).then(() => (secondIsServed = true));
  roundOne.resolve();
  await first;
  const roundTwo = await startedRound(2);
  expect(secondIsServed).toBe(false);
  roundTwo.resolve();
  await second;
  expect(started).toHaveLength(2);
});

test("callers that wait for the same round share it", async () => {
  const { rounds, started, startedRound } = controlRounds();
  const waiting = [1, 2, 3].map(() => rounds.join(patientMs, outOfTime));
  (await startedRound(1)).resolve();
  await Promise.all(waiting);
  expect(started).toHaveLength(1);
});

test("two rounds never start within the gap", async () => {
  const startedAt: number[] = [];
  const gapMs = 60;
  const rounds = makeRounds(async () => void startedAt.push(performance.now()), { gapMs });
  for (let call = 0; call < 4; call += 1) await rounds.join(patientMs, outOfTime);
  const gaps = startedAt.slice(1).map((at, index) => at - (startedAt[index] ?? 0));
  expect(Math.min(...gaps)).toBeGreaterThanOrEqual(gapMs - 1);
});

test("a round that fails keeps its callers for the next one, and its failure is told", async () => {
  const { rounds, failures, startedRound } = controlRounds();
  const waiting = rounds.join(patientMs, outOfTime);
  (await startedRound(1)).reject(new Error("store down"));
  (await startedRound(2)).resolve();
  await waiting;
  expect(failures).toEqual(["store down"]);
});

test("a caller whose own time runs out is told so, while a more patient one is still served", async () => {
  const { rounds, startedRound } = controlRounds();
  const hasty = rounds.join(30, () => new Error("hasty is out of time"));
  const patient = rounds.join(patientMs, outOfTime);
  const roundOne = await startedRound(1);
  await expect(hasty).rejects.toThrow("hasty is out of time");
  roundOne.reject(new Error("store down"));
  (await startedRound(2)).resolve();
  await patient;
});

test("a failed round is repeated until one succeeds, even when nobody waits any more", async () => {
  const { rounds, started, startedRound } = controlRounds();
  rounds.request();
  (await startedRound(1)).reject(new Error("store down"));
  (await startedRound(2)).resolve();
  const caller = rounds.join(patientMs, outOfTime);
  (await startedRound(3)).resolve();
  await caller;
  expect(started).toHaveLength(3);
});

test("the end rejects at once those in the round under way and those waiting for the next", async () => {
  const { rounds, started, startedRound } = controlRounds();
  const served = rounds.join(patientMs, outOfTime);
  const roundOne = await startedRound(1);
  const told = Promise.allSettled([served, rounds.join(patientMs, outOfTime)]);
  let isOver = false;
  const cause = new Error("fenced");
  const ended = rounds.end(cause).then(() => (isOver = true));
  const rejected = { status: "rejected", reason: cause };
  expect(await told).toEqual([rejected, rejected]);
  await expect(rounds.join(patientMs, outOfTime)).rejects.toThrow("fenced");
  expect(isOver).toBe(false);
  roundOne.resolve();
  await ended;
  expect(started).toHaveLength(1);
});

test("no round starts after the end, also when one was about to", async () => {
  let count = 0;
  const rounds = makeRounds(async () => void (count += 1), { gapMs: 50 });
  await rounds.join(patientMs, outOfTime);
  const told = Promise.allSettled([rounds.join(patientMs, outOfTime)]);
  await rounds.end(new Error("fenced"));
  expect(await told).toMatchObject([{ status: "rejected" }]);
  expect(count).toBe(1);
});

// The loop ends some microtasks after its last look for callers: one who comes in between must not be forgotten.
test.each(Array.from({ length: 16 }, (_, microtasks) => microtasks))(
  "a caller who comes %i microtasks after a round is over is served",
  async (microtasks) => {
    const roundOne = Promise.withResolvers<void>();
    let count = 0;
    const rounds = makeRounds(() => ((count += 1) === 1 ? roundOne.promise : Promise.resolve()));
    const first = rounds.join(patientMs, outOfTime);
    await waitFor("the first round", async () => (count === 1 ? true : null), { timeoutMs: patientMs, everyMs: 1 });
    roundOne.resolve();
    for (let passed = 0; passed < microtasks; passed += 1) await Promise.resolve();
    await rounds.join(500, () => new Error("forgotten"));
    await first;
  },
);

function makeRounds(round: () => Promise<void>, { gapMs = 0, failures = [] as string[] } = {}): SharedRounds {
  const onFailure = (error: unknown) => void failures.push(error instanceof Error ? error.message : String(error));
  return new SharedRounds({ round, pace: new RoundPace(1e12, { gapMs }), retryMs: () => 1, onFailure });
}

/** Rounds that begin on request and end when the test says so. */
function controlRounds() {
  const started: PromiseWithResolvers<void>[] = [];
  const failures: string[] = [];
  const round = () => {
    const control = Promise.withResolvers<void>();
    started.push(control);
    return control.promise;
  };
  const rounds = makeRounds(round, { failures });
  const startedRound = (number: number) =>
    waitFor(`round ${number}`, async () => started[number - 1] ?? null, { timeoutMs: patientMs, everyMs: 1 });
  return { rounds, started, failures, startedRound };
}
