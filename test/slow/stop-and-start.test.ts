import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

import { Type } from "typebox";
import { expect, test } from "vitest";

import { waitFor, within } from "../../app/cli/wait-for.ts";
import { openBucket } from "../../app/replica/bucket.ts";
import { fetchChain } from "../../app/replica/chain.ts";
import { parseJson } from "../../app/replica/parse-json.ts";
import { readFacts } from "../../scripts/drill/facts.ts";
import { type WholeMachine, WholeSite } from "./whole-machine.ts";

const ReportSchema = Type.Object({ outcome: Type.String(), row: Type.Number(), content: Type.String() });

test("a clean stop marks the TXID of the bucket's newest state, and after a reboot the machine goes on in place", async () => {
  await using site = await WholeSite.open();
  const machine = await site.addMachine("one");
  await machine.switchOnUntilReady();
  await addCustomer(machine, "before", "commit");
  const { epoch, nonce } = machine.readMark();
  expect(await machine.stopCleanly()).toEqual([0, 0]);
  const chain = await fetchChain(openBucket(site.prepared.config), epoch);
  if (chain.state !== "whole") throw new Error(`the chain is ${chain.state}`);
  expect(machine.readMark().cleanStop).toMatchObject({ txid: chain.newestTxid });

  await machine.switchOnUntilReady();
  expect(readReport(machine)).toEqual({ outcome: "resumed", row: 3, content: "volume" });
  // From the first moment on: the mark of a clean stop must not outlive the next write.
  expect(machine.readMark()).toMatchObject({ epoch, nonce, cleanStop: null });
  await addCustomer(machine, "after", "bucket");
  expect(readEmails(machine)).toEqual(["after@example.test", "before@example.test"]);
});

test("stopped while the store is away, the app ends with a failure and leaves no mark of a clean stop; the next boot finds every disk write", async () => {
  await using site = await WholeSite.open();
  const machine = await site.addMachine("one");
  await machine.switchOnUntilReady();
  await addCustomer(machine, "uploaded", "bucket");
  const { epoch } = machine.readMark();
  await site.proxy.goDown();
  await addCustomer(machine, "only-on-disk", "disk");
  const [app] = await machine.stopCleanly();
  expect(app).toBe(1);
  expect(machine.readLog("app")).toContain("not in the bucket after 20000 ms");
  expect(machine.readMark()).toMatchObject({ epoch, cleanStop: null });

  await site.proxy.comeBack();
  await machine.switchOnUntilReady();
  expect(readReport(machine)).toEqual({ outcome: "claimed", row: 11, content: "volume" });
  expect(machine.readMark().epoch).not.toBe(epoch);
  expect(readEmails(machine)).toEqual(["only-on-disk@example.test", "uploaded@example.test"]);
});

test("an app that waits for the store can be stopped, and a boot too", async () => {
  await using site = await WholeSite.open();
  const machine = await site.addMachine("one");
  await machine.switchOnUntilReady();
  await addCustomer(machine, "one", "bucket");
  await site.proxy.goDown();
  // Its next life cannot ask whose head is, so it does not serve.
  machine.kill("app");
  const pid = machine.readPid("app");
  await waitFor("the next life", async () => (machine.readPid("app") === pid ? null : true), { timeoutMs: 20_000 });
  // Until it asks for head: several times as long as its imports take.
  await sleep(4_000);
  // Litestream tries for 20 s to upload what was written after the last sync, such as the outcome of a delivery.
  const exits = await within("the stop", 40_000, machine.stopCleanly());
  expect(exits[0]).not.toBe(0);
  expect(machine.readMark().cleanStop).toBe(null);

  const other = await site.addMachine("two");
  other.switchOn();
  await waitFor(
    "the wait for the store",
    async () => (other.readLog("boot").includes("the store does not answer") ? true : null),
    {
      timeoutMs: 20_000,
    },
  );
  expect(await within("the stop", 10_000, other.stopCleanly())).toEqual([null]);
});

test("what waits for the bucket when the stop comes is still acknowledged, and new writes are refused", async () => {
  await using site = await WholeSite.open();
  const machine = await site.addMachine("one");
  await machine.switchOnUntilReady();
  const answers = Array.from({ length: 20 }, (_, number) => addCustomer(machine, `waiting-${number}`, "bucket"));
  await answers[0];
  const stopping = machine.stopCleanly();
  const told = await Promise.allSettled(answers);
  expect(await stopping).toEqual([0, 0]);
  const acknowledged = told.filter(({ status }) => status === "fulfilled").length;
  expect(acknowledged).toBeGreaterThan(0);

  const other = await site.addMachine("two");
  await other.switchOnUntilReady();
  expect(readEmails(other).length).toBeGreaterThanOrEqual(acknowledged);
});

async function addCustomer(
  machine: WholeMachine,
  name: string,
  durability: "commit" | "disk" | "bucket",
): Promise<void> {
  const body = { name, email: `${name}@example.test` };
  const answer = await machine.ask("POST", "/customers", { headers: { durability }, body });
  if (answer.status !== 201) throw new Error(`POST /customers answered ${answer.status}: ${answer.text}`);
}

function readEmails(machine: WholeMachine): string[] {
  return [...readFacts(machine.files.database)].map(({ key }) => key).toSorted();
}

function readReport({ files }: WholeMachine) {
  const { outcome, row, content } = parseJson(ReportSchema, readFileSync(files.bootReport, "utf8"), files.bootReport);
  return { outcome, row, content };
}
