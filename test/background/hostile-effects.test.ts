import { setTimeout as sleep } from "node:timers/promises";

import { afterEach, expect, test, vi } from "vitest";

import { describeError } from "../../app/background/limited.ts";
import { waitFor } from "../../app/cli/wait-for.ts";
import { defineHandler, readUntried } from "../../app/database/outbox.ts";
import { House } from "./house.ts";

afterEach(() => {
  vi.useRealTimers();
});

const circle = new Error("round");
circle.cause = new Error("and round", { cause: circle });
const unreachable = new AggregateError([new Error("connect ECONNREFUSED 127.0.0.1:9"), new Error("another")]);
const silent = Object.defineProperty(new Error("x"), "message", {
  get: () => {
    throw new Error("no message");
  },
});

test.each<[string, unknown, string]>([
  ["nothing", undefined, "undefined"],
  ["a text", "no", "no"],
  ["an object", { code: 5 }, "{ code: 5 }"],
  ["an object without a prototype", Object.create(null), "[Object: null prototype] {}"],
  ["a symbol", Symbol("no"), "Symbol(no)"],
  ["a circle of causes", circle, "round: and round"],
  ["an error whose message is an object", Object.assign(new Error("x"), { message: { a: 1 } }), "{ a: 1 }"],
  ["an error that cannot be read", silent, "something was thrown that cannot be described"],
  ["a failed fetch", new TypeError("fetch failed", { cause: unreachable }), "fetch failed: AggregateError: connect"],
  [
    "a cause that is told",
    new Error("posting: no", { cause: new Error("no", { cause: "full" }) }),
    "posting: no: full",
  ],
])("a handler that throws %s has failed, with a cause, and holds up no other effect", async (_, thrown, cause) => {
  await using house = new House();
  const performed: string[] = [];
  const mail = defineHandler<string>("mail", ({ payload }) => {
    // oxlint-disable-next-line typescript/only-throw-error -- as products do
    if (payload === "bad") throw thrown;
    performed.push(payload);
    return Promise.resolve();
  });
  for (const payload of ["bad", "good"]) house.send("mail", payload);
  const background = house.start([mail], [], { limits: { attempts: 2 } });
  const look = async () => (background.describeEffects().deadLetters === 1 && performed.length === 1 ? true : null);
  await waitFor("a dead letter and a delivery", look, { timeoutMs: 3_000, everyMs: 5 });
  expect(describeError(thrown)).toContain(cause);
});

test("why an effect waits can be seen, though later ones are performed", async () => {
  await using house = new House();
  let performed = 0;
  const mail = defineHandler<string>("mail", ({ payload }) => {
    if (payload === "bad") throw new Error("no such address");
    performed += 1;
    return Promise.resolve();
  });
  for (const payload of ["bad", "good", "good"]) house.send("mail", payload);
  const background = house.start([mail], [], { limits: { firstRetryMs: 60_000, lastRetryMs: 60_000 } });
  await waitFor("the others", async () => (performed === 2 ? true : null), { timeoutMs: 3_000, everyMs: 5 });
  const [state] = background.describeEffects().handlers;
  expect(state).toMatchObject({ name: "mail", cause: "no such address" });
});

test("of 5,000 effects that wait, the bad ones hold up neither the good ones nor another handler", async () => {
  await using house = new House();
  for (let index = 0; index < 5_000; index++) house.send("mail", index % 10 === 0 ? "bad" : "x".repeat(1_000));
  house.send("post", "a");
  const performed = { mail: 0, post: 0 };
  const mail = defineHandler<string>("mail", ({ payload }) => {
    if (payload === "bad") throw new Error("bad");
    performed.mail += 1;
    return Promise.resolve();
  });
  const post = defineHandler<string>("post", async () => void (performed.post += 1));
  const background = house.start([mail, post], [], { limits: { firstRetryMs: 60_000, lastRetryMs: 60_000 } });
  await waitFor("the other handler", async () => (performed.post === 1 ? true : null), {
    timeoutMs: 10_000,
    everyMs: 1,
  });
  expect(performed.mail).toBeLessThan(4_500);
  await waitFor("the good ones", async () => (performed.mail === 4_500 ? true : null), { timeoutMs: 20_000 });
  expect(background.describeEffects().handlers).toMatchObject([{ waiting: 500 }, { waiting: 0 }]);
});

test("a writer that refuses for long is told once, not every second", async () => {
  await using house = new House();
  const mail = defineHandler<string>("mail", async () => void (house.isWriterRefusing = true));
  house.send("mail", "a");
  house.start([mail]);
  const told = () => house.logged.logged.filter(({ event }) => event === "side effects cannot be read or written");
  await waitFor("the complaint", async () => (told().length > 0 ? true : null), { timeoutMs: 3_000 });
  await sleep(2_500);
  expect(told()).toHaveLength(1);
});

test.each(["resolves", "rejects"])(
  "a try that %s only after a fence says nothing: the next machine repeats it",
  async (end) => {
    await using house = new House();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    let isTold = false;
    const mail = defineHandler<string>("mail", () => {
      isTold = true;
      return promise;
    });
    house.send("mail", "a");
    const background = house.start([mail]);
    await waitFor("the delivery", async () => (isTold ? true : null), { timeoutMs: 3_000, everyMs: 5 });
    house.state = "fenced";
    background.abort();
    if (end === "resolves") resolve();
    else reject(new Error("too late"));
    await sleep(50);
    expect(house.read(readUntried("mail", 10))).toMatchObject([{ payload: '"a"', attempts: 0 }]);
  },
);

test("a clock that jumps forward makes a proof old; one that jumps back makes no old one good", async () => {
  await using house = new House();
  const proofs: number[] = [];
  const jumps = [3_600_000, -7_200_000, 0];
  vi.useFakeTimers({ toFake: ["Date"] });
  const mail = defineHandler<string>("mail", async () => {
    proofs.push(house.proofs);
    const jumpMs = jumps.shift() ?? 0;
    vi.setSystemTime(Date.now() + jumpMs);
    // Longer than a proof counts, by the clock that nobody sets.
    if (jumpMs < 0) await sleep(150);
  });
  for (const payload of ["a", "b", "c"]) house.send("mail", payload);
  house.start([mail], [], { limits: { proofAgeMs: 100 } });
  await waitFor("the deliveries", async () => (proofs.length === 3 ? true : null), { timeoutMs: 5_000, everyMs: 5 });
  expect(proofs).toEqual([1, 2, 3]);
});

test("effects of equal content are two effects, with an id each", async () => {
  await using house = new House();
  const ids: string[] = [];
  const mail = defineHandler<string>("mail", async ({ id }) => void ids.push(id));
  for (const payload of ["same", "same"]) house.send("mail", payload);
  house.start([mail]);
  await waitFor("both", async () => (ids.length === 2 ? true : null), { timeoutMs: 3_000, everyMs: 5 });
  expect(new Set(ids).size).toBe(2);
});
