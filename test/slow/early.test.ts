import { setTimeout as sleep } from "node:timers/promises";

import { expect, test } from "vitest";

import { waitFor, within } from "../../app/cli/wait-for.ts";
import { exitCodes } from "../../app/exit-codes.ts";
import { type WholeMachine, WholeSite } from "./whole-machine.ts";

const customer = { name: "One", email: "one@example.test" };

test("an app that starts while the store is away is up and reads, says why it is not ready, and takes no write before head was read", async () => {
  await using site = await WholeSite.open();
  const machine = await startWithoutStore(site);
  expect((await machine.ask("GET", "/up")).status).toBe(200);
  const ready = await machine.ask("GET", "/ready");
  expect(ready.status).toBe(503);
  expect(ready.text).toMatch(/"status":"starting","cause":"the store .*\(unreachable\)/);
  expect(ready.text).not.toContain(site.proxy.endpoint);
  const read = await waitFor("a read", async () => answered(await machine.ask("GET", "/customers")), {
    timeoutMs: 20_000,
  });
  expect(read.text).toContain(customer.email);
  for (const durability of ["commit", "disk", "bucket"]) {
    const { status, headers, text } = await machine.ask("POST", "/customers", {
      headers: { durability },
      body: { ...customer, name: "Two" },
    });
    expect({ status, retry: headers["retry-after"], durability }).toEqual({ status: 503, retry: "2", durability });
    expect(text).toContain("urn:lifeboat:problem:starting");
  }
  await site.proxy.comeBack();
  await machine.waitUntilReady();
  expect((await machine.ask("GET", "/customers")).text).not.toContain("Two");
  expect(
    (
      await machine.ask("POST", "/customers", {
        headers: { durability: "bucket" },
        body: { name: "Three", email: "three@example.test" },
      })
    ).status,
  ).toBe(201);
});

test("a store that refuses the key when the app starts does not take the reads away, and nothing needs a restart when it answers again", async () => {
  await using site = await WholeSite.open();
  const machine = await restartApp(site, () => {
    site.proxy.answerWith(() => ({ status: 403, body: "<Error><Code>AccessDenied</Code></Error>" }));
  });
  const ready = await waitFor(
    "the cause",
    async () => {
      const answer = await machine.ask("GET", "/ready");
      return answer.text.includes("(key-refused)") ? answer : null;
    },
    { timeoutMs: 20_000 },
  );
  expect(ready.status).toBe(503);
  expect((await machine.ask("GET", "/customers")).status).toBe(200);
  const pid = machine.readPid("app");
  site.proxy.pass();
  await machine.waitUntilReady();
  expect(machine.readPid("app")).toBe(pid);
});

test("a machine that was superseded while it waited for the store ends with 102 and kills its Litestream", async () => {
  await using site = await WholeSite.open();
  const machine = await startWithoutStore(site);
  await site.proxy.comeBack();
  // Answered as by a store that has come back with another machine's head in it.
  await site.takeOver();
  const ending = await within("the end", 30_000, machine.supervisor.ended);
  expect(ending).toEqual({ unit: "app", code: exitCodes.fenced });
  expect(machine.readLog("app")).toContain('"killedPids":[');
});

/** A machine that has served, whose app starts again while the store cannot be reached. */
async function startWithoutStore(site: WholeSite): Promise<WholeMachine> {
  return restartApp(site, () => site.proxy.goDown());
}

async function restartApp(site: WholeSite, spoil: () => void | Promise<void>): Promise<WholeMachine> {
  const machine = await site.addMachine("one");
  await machine.switchOnUntilReady();
  const { status } = await machine.ask("POST", "/customers", { headers: { durability: "bucket" }, body: customer });
  if (status !== 201) throw new Error(`the first write was answered ${status}`);
  await spoil();
  const pid = machine.readPid("app");
  machine.kill("app");
  await waitFor("the next life", async () => (machine.readPid("app") === pid ? null : true), { timeoutMs: 20_000 });
  await waitFor("/up", async () => answered(await machine.ask("GET", "/up", { limitMs: 1_000 })), {
    timeoutMs: 20_000,
  });
  // Until the store has been asked.
  await sleep(1_500);
  return machine;
}

function answered<A extends { status: number }>(answer: A): A | null {
  return answer.status === 200 ? answer : null;
}
