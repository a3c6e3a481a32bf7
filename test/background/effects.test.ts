import { setTimeout as sleep } from "node:timers/promises";

import { expect, test } from "vitest";

import { waitFor } from "../../app/cli/wait-for.ts";
import { type Delivery, defineHandler, listDeadLetters, readOutboxState } from "../../app/database/outbox.ts";
import { NotReplicated } from "../../app/replica/replication-options.ts";
import { House } from "./house.ts";

type Told = Pick<Delivery<string>, "id" | "payload" | "attempt">;

/** A handler that records its deliveries, and then does what the test says. */
function listen(name: string, then: (delivery: Delivery<string>) => Promise<void> | void = () => undefined) {
  const told: Told[] = [];
  const handler = defineHandler<string>(name, async (delivery) => {
    told.push({ id: delivery.id, payload: delivery.payload, attempt: delivery.attempt });
    await then(delivery);
  });
  return { told, handler, payloads: () => told.map(({ payload }) => payload) };
}

const until = (what: string, isTrue: () => boolean) =>
  waitFor(what, async () => (isTrue() ? true : null), { timeoutMs: 10_000, everyMs: 5 });
const isEmpty = (house: House) => house.read(readOutboxState()).pending.length === 0;

test("an effect is performed after the proof and forgotten; none that came after the proof was asked for", async () => {
  await using house = new House();
  const { promise, resolve } = Promise.withResolvers<void>();
  house.prove = () => promise;
  const mail = listen("mail");
  house.start([mail.handler]);
  house.send("mail", "a");
  await until("the first proof", () => house.proofs === 1);
  house.send("mail", "late");
  const { promise: second, resolve: resolveSecond } = Promise.withResolvers<void>();
  house.prove = () => second;
  expect(mail.told).toEqual([]);
  resolve();
  await until("the second proof", () => house.proofs === 2);
  expect(mail.payloads()).toEqual(["a"]);
  resolveSecond();
  await until("an empty outbox", () => isEmpty(house));
  expect(mail.payloads()).toEqual(["a", "late"]);
});

test("a machine that dies before it could forget what it performed leads to a second delivery with the same id", async () => {
  await using house = new House();
  const mail = listen("mail", () => {
    house.isWriterRefusing = true;
  });
  house.send("mail", "a");
  const dying = house.start([mail.handler]);
  await until("the delivery", () => mail.told.length === 1);
  dying.abort();
  house.isWriterRefusing = false;
  const next = listen("mail");
  house.start([next.handler]);
  await until("an empty outbox", () => isEmpty(house));
  expect(next.told).toEqual(mail.told);
});

test("while the writer refuses to forget it, an effect is not performed again", async () => {
  await using house = new House();
  const mail = listen("mail", () => {
    house.isWriterRefusing = true;
  });
  house.send("mail", "a");
  const background = house.start([mail.handler]);
  await until("a cause", () => background.describeEffects().handlers[0]?.cause === "the writer refuses");
  await sleep(50);
  house.isWriterRefusing = false;
  await until("an empty outbox", () => isEmpty(house));
  expect(mail.told).toHaveLength(1);
});

test("a bucket that does not answer holds effects, says why, and gets them delivered when it answers", async () => {
  await using house = new House();
  house.refusal = new NotReplicated("not in the bucket after 10000 ms");
  const mail = listen("mail");
  const background = house.start([mail.handler]);
  house.send("mail", "a");
  await until("a cause", () => background.describeEffects().held === "not in the bucket after 10000 ms");
  expect(background.describeEffects().handlers).toMatchObject([{ name: "mail", waiting: 1 }]);
  expect(mail.told).toEqual([]);
  house.refusal = null;
  await until("an empty outbox", () => isEmpty(house));
  expect([mail.told.length, background.describeEffects().held]).toEqual([1, null]);
});

test.each(["fence", "stop"])("no delivery starts after a %s", async (end) => {
  await using house = new House();
  const mail = listen("mail", () => {
    if (end === "fence") house.state = "fenced";
    else void background.stop(1_000);
  });
  for (const payload of ["a", "b", "c"]) house.send("mail", payload);
  const background = house.start([mail.handler]);
  await until("the delivery", () => mail.told.length === 1);
  await sleep(100);
  expect(mail.payloads()).toEqual(["a"]);
});

test("a fence while the proof is on its way: nothing is delivered", async () => {
  await using house = new House();
  const { promise, resolve } = Promise.withResolvers<void>();
  house.prove = () => promise;
  const mail = listen("mail");
  house.send("mail", "a");
  const background = house.start([mail.handler]);
  await until("the proof", () => house.proofs === 1);
  background.abort();
  resolve();
  await sleep(50);
  expect(mail.told).toEqual([]);
});

test("a proof that has become old is not used for the rest of a batch", async () => {
  await using house = new House();
  const mail = listen("mail", () => sleep(60));
  for (const payload of ["a", "b"]) house.send("mail", payload);
  house.start([mail.handler], [], { limits: { proofAgeMs: 30 } });
  await until("an empty outbox", () => isEmpty(house));
  expect([house.proofs, mail.payloads()]).toEqual([2, ["a", "b"]]);
});

test("a handler that throws for ever leads to a dead letter, which can be sent again with its id", async () => {
  await using house = new House();
  let isBroken = true;
  const mail = listen("mail", () => {
    if (isBroken) throw new Error("503", { cause: new Error("the post is closed") });
  });
  house.send("mail", "a");
  const background = house.start([mail.handler], [], { limits: { attempts: 3 } });
  await until("a dead letter", () => background.describeEffects().deadLetters === 1);
  expect(mail.told.map(({ attempt }) => attempt)).toEqual([1, 2, 3]);
  const [letter] = house.read(listDeadLetters({ limit: 10 }));
  expect(letter).toMatchObject({ payload: "a", attempts: 3, lastError: "503: the post is closed" });
  isBroken = false;
  house.retry(letter?.id ?? "");
  await until("an empty outbox", () => isEmpty(house) && background.describeEffects().deadLetters === 0);
  expect(new Set(mail.told.map(({ id }) => id))).toEqual(new Set([letter?.id]));
});

test("a handler that never returns has failed, and a stop does not wait for it", async () => {
  await using house = new House();
  const signals: AbortSignal[] = [];
  const mail = listen("mail", ({ signal }) => {
    signals.push(signal);
    return new Promise<void>(() => undefined);
  });
  house.send("mail", "a");
  const background = house.start([mail.handler], [], { limits: { tryLimitMs: 30 } });
  await until("a second try", () => mail.told.length === 2);
  expect(signals[0]?.aborted).toBe(true);
  expect(background.describeEffects().handlers[0]?.cause).toBe("it took longer than 0.03 s");
  const startedAt = performance.now();
  await background.stop(50);
  expect(performance.now() - startedAt).toBeLessThan(1_000);
});

test("a handler that is stuck holds up no other, and one that the release lacks keeps what waits for it", async () => {
  await using house = new House();
  const stuck = listen("mail", () => new Promise<void>(() => undefined));
  const post = listen("post");
  house.send("gone", "z");
  for (const payload of ["a", "b"]) for (const name of ["mail", "post"]) house.send(name, payload);
  const background = house.start([stuck.handler, post.handler]);
  await until("the other's deliveries", () => post.told.length === 2);
  await until("two that wait", () => house.read(readOutboxState()).pending.length === 2);
  expect(stuck.payloads()).toEqual(["a"]);
  const cause = "this release has no handler of this name";
  expect(background.describeEffects().handlers).toContainEqual(
    expect.objectContaining({ name: "gone", waiting: 1, cause }),
  );
  expect(house.logged.logged).toContainEqual({
    level: "warn",
    event: "side effects wait for a handler",
    details: { handler: "gone", waiting: 1, cause },
  });
});

test("what had failed before a start is tried again at once", async () => {
  await using house = new House();
  const broken = listen("mail", () => Promise.reject(new Error("no")));
  house.send("mail", "a");
  const first = house.start([broken.handler], [], { limits: { firstRetryMs: 60_000, lastRetryMs: 60_000 } });
  await until("a failure", () => first.describeEffects().handlers[0]?.cause === "no");
  await first.stop();
  const mail = listen("mail");
  house.start([mail.handler]);
  await until("an empty outbox", () => isEmpty(house));
  expect(mail.told).toMatchObject([{ id: broken.told[0]?.id, attempt: 2 }]);
});
