import { setTimeout as sleep } from "node:timers/promises";

import { afterAll, beforeAll, expect, test } from "vitest";

import { waitFor } from "../../app/cli/wait-for.ts";
import { fetchHead } from "../../app/replica/head.ts";
import { type SeaweedStore, startSeaweedStore } from "../../scripts/local/seaweed-store.ts";
import { ReplicaSite } from "./replication-site.ts";

const patientMs = 20_000;
const headPollMs = 1_500;

let store: SeaweedStore;
beforeAll(async () => void (store = await startSeaweedStore()));
afterAll(() => store[Symbol.asyncDispose]());

test("after another machine has taken head over, the next write is not acknowledged and all who wait are told", async () => {
  await using site = await ReplicaSite.open(store.access);
  site.startLitestream();
  const { replication, fencedBy } = site.replicate();
  site.write("mine");
  await replication.replicate(patientMs);
  await site.takeOver();
  site.write("too late");
  const told = await Promise.allSettled([1, 2, 3].map(() => replication.replicate(patientMs)));
  const fenced = { status: "rejected", reason: expect.objectContaining({ name: "NotReplicated" }) };
  expect(told).toEqual([fenced, fenced, fenced]);
  expect(fencedBy).toEqual([expect.stringMatching(/^machine machine-two has taken over with epoch 0002-/)]);
  expect({ state: replication.state, refused: replication.bucketRefusal !== null }).toEqual({
    state: "fenced",
    refused: true,
  });
  await sleep(2 * headPollMs);
  expect(fencedBy).toHaveLength(1);
  await expect(replication.replicate(patientMs)).rejects.toThrow("fenced");
});

test("a take-over during the sync is seen by the check after it", async () => {
  await using site = await ReplicaSite.open(store.access);
  site.startLitestream();
  let isTakenOver = false;
  const sync = async () => {
    const txid = await site.sync();
    if (isTakenOver) await site.takeOver();
    return txid;
  };
  const { replication, fencedBy } = site.replicate({ sync });
  await replication.upload(patientMs);
  isTakenOver = true;
  site.write("uploaded, but perhaps after the other machine had read");
  await expect(replication.replicate(patientMs)).rejects.toThrow("has taken over");
  expect(fencedBy).toHaveLength(1);
});

test("an idle machine finds out by itself that it is superseded", async () => {
  await using site = await ReplicaSite.open(store.access);
  site.startLitestream();
  const { replication, fencedBy } = site.replicate();
  await replication.upload(patientMs);
  await site.takeOver();
  // The poll's period, and as much again for a busy computer.
  await waitFor("the fence", async () => fencedBy[0] ?? null, { timeoutMs: 2 * headPollMs });
  expect(replication.state).toBe("fenced");
});

test("a machine that is superseded while its epoch opens never makes itself living", async () => {
  await using site = await ReplicaSite.open(store.access);
  const { replication, fencedBy } = site.replicate();
  site.write("never uploaded");
  const waiting = expect(replication.replicate(patientMs)).rejects.toThrow("has taken over");
  await site.takeOver("opening");
  site.startLitestream();
  await waiting;
  expect(fencedBy).toHaveLength(1);
  expect((await fetchHead(site.bucket)).head).toMatchObject({ machine: "machine-two", state: "opening" });
});

test("a machine that stood still reads head at once, before its next poll is due", { timeout: 60_000 }, async () => {
  await using site = await ReplicaSite.open(store.access);
  site.startLitestream();
  const reads: number[] = [];
  const get = (key: string) => (reads.push(performance.now()), site.bucket.get(key));
  const { replication } = site.replicate({ bucket: { ...site.bucket, get } });
  const nextRead = async () => {
    const { length } = reads;
    return waitFor("a read of head", async () => reads[length] ?? null, { timeoutMs: patientMs, everyMs: 1 });
  };
  // On a busy computer the read may come late; without the rule it is never early.
  let isEarly = false;
  for (let attempt = 0; attempt < 5 && !isEarly; attempt += 1) {
    // Puts off the sync of an idle machine, which reads head too.
    await replication.upload(patientMs);
    const polledAt = await nextRead();
    standStill(1_050);
    isEarly = (await nextRead()) - polledAt < headPollMs - 10;
  }
  expect(isEarly).toBe(true);
});

/** Blocks the whole process, as a hypervisor would. */
function standStill(durationMs: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, durationMs);
}
