import { writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

import { afterAll, beforeAll, expect, test, vi } from "vitest";

import { waitFor } from "../../app/cli/wait-for.ts";
import { type Bucket } from "../../app/replica/bucket.ts";
import { fetchChain } from "../../app/replica/chain.ts";
import { fetchHead, headKey } from "../../app/replica/head.ts";
import { renderLitestreamConfig } from "../../app/replica/litestream-config.ts";
import { NotReplicated } from "../../app/replica/replication-options.ts";
import { RoundPace } from "../../app/replica/round-pace.ts";
import { type SeaweedStore, startSeaweedStore } from "../../scripts/local/seaweed-store.ts";
import { ReplicaSite } from "./replication-site.ts";

const patientMs = 20_000;

let store: SeaweedStore;
beforeAll(async () => void (store = await startSeaweedStore()));
afterAll(() => store[Symbol.asyncDispose]());

test("the epoch is made living only when its base is in the bucket", async () => {
  await using site = await ReplicaSite.open(store.access);
  const chains: string[] = [];
  const bucket = beforePut(site.bucket, async (key) => {
    if (key === headKey) chains.push((await fetchChain(site.bucket, site.mark.epoch)).state);
  });
  const { replication } = site.replicate({ bucket });
  site.write("before Litestream");
  await sleep(200);
  expect({ chains, state: replication.state }).toEqual({ chains: [], state: "opening" });
  site.startLitestream();
  await replication.replicate(patientMs);
  expect(chains).toEqual(["whole"]);
  expect((await fetchHead(site.bucket)).head.state).toBe("living");
  expect(replication.state).toBe("living");
});

test("a wall clock that is set back makes no proof younger, and one that goes ahead has it renewed at once", async () => {
  await using site = await ReplicaSite.open(store.access);
  site.startLitestream();
  const { replication } = site.replicate();
  await replication.replicate(patientMs);
  const wallClock = Date.now.bind(Date);
  let aheadMs = -3_600_000;
  const changed = vi.spyOn(Date, "now").mockImplementation(() => wallClock() + aheadMs);
  try {
    const age = replication.replicatedAgeMs ?? -1;
    expect(age).toBeGreaterThanOrEqual(0);
    await sleep(300);
    expect(replication.replicatedAgeMs).toBeGreaterThan(age + 250);
    aheadMs = 3_600_000;
    expect(replication.replicatedAgeMs).toBeGreaterThan(3_000_000);
    const isRenewed = async () => ((replication.replicatedAgeMs ?? 0) < 60_000 ? true : null);
    await waitFor("the next proof", isRenewed, { timeoutMs: patientMs });
  } finally {
    changed.mockRestore();
  }
});

test("a Litestream that uploads to another epoch's prefix is not believed", async () => {
  await using site = await ReplicaSite.open(store.access);
  const { litestreamConfig } = site.machine.files;
  writeFileSync(litestreamConfig, renderLitestreamConfig(site.machine, "0000-deadbeef"));
  const { replication } = site.replicate();
  site.write("to the wrong place");
  site.startLitestream();
  await waitFor(
    "the wrong base",
    async () => ((await fetchChain(site.bucket, "0000-deadbeef")).state === "whole" ? true : null),
    {
      timeoutMs: patientMs,
    },
  );
  await expect(replication.replicate(1_000)).rejects.toMatchObject({
    name: "NotReplicated",
    cause: { message: expect.stringContaining(`the replica of ${site.mark.epoch} is empty`) },
  });
  expect((await fetchHead(site.bucket)).head.state).toBe("opening");
});

test("nothing is acknowledged at bucket before the epoch is living", async () => {
  await using site = await ReplicaSite.open(store.access);
  const released = Promise.withResolvers<void>();
  const bucket = beforePut(site.bucket, (key) => (key === headKey ? released.promise : Promise.resolve()));
  const { replication } = site.replicate({ bucket });
  site.startLitestream();
  site.write("early");
  await expect(replication.replicate(1_000)).rejects.toThrow(NotReplicated);
  expect(await site.restoreBodies()).toEqual(["early"]);
  expect(replication.state).toBe("opening");
  released.resolve();
  await replication.replicate(patientMs);
  expect((await fetchHead(site.bucket)).head.state).toBe("living");
});

test("every acknowledgement holds what was committed before it, also when Litestream dies right after", async () => {
  await using site = await ReplicaSite.open(store.access);
  const { replication } = site.replicate();
  const written: string[] = [];
  for (let life = 1; life <= 3; life += 1) {
    site.startLitestream();
    for (let write = 1; write <= 3; write += 1) {
      written.push(`write ${write} of life ${life}`);
      site.write(written.at(-1) ?? "");
      await replication.replicate(patientMs);
    }
    await site.killLitestream();
    expect(await site.restoreBodies()).toEqual(written);
  }
});

test("a write is not acknowledged while its sync is still on its way", async () => {
  await using site = await ReplicaSite.open(store.access);
  site.startLitestream();
  const held = Promise.withResolvers<void>();
  let isHeld = false;
  const sync = async () => {
    if (isHeld) await held.promise;
    return site.sync();
  };
  const { replication } = site.replicate({ sync });
  site.write("base");
  await replication.replicate(patientMs);
  isHeld = true;
  site.write("on its way");
  await expect(replication.replicate(500)).rejects.toMatchObject({ message: /the sync has not been answered yet$/ });
  held.resolve();
  await replication.replicate(patientMs);
  expect(await site.restoreBodies()).toEqual(["base", "on its way"]);
});

test("a second write during a slow sync is not acknowledged by it", async () => {
  await using site = await ReplicaSite.open(store.access);
  site.startLitestream();
  const gate = { isClosed: false, isReached: false, opened: Promise.withResolvers<void>() };
  const sync = async () => {
    const txid = await site.sync();
    gate.isReached = gate.isClosed;
    if (gate.isClosed) await gate.opened.promise;
    return txid;
  };
  const { replication } = site.replicate({ sync });
  site.write("base");
  await replication.replicate(patientMs);

  gate.isClosed = true;
  site.write("first");
  const first = replication.replicate(patientMs);
  await waitFor("the slow sync", async () => (gate.isReached ? true : null), { timeoutMs: patientMs });
  // Uploaded is all up to the first write; the answer is still on its way when the second one is committed.
  site.write("second");
  let secondIsAcknowledged = false;
  const second = replication.replicate(patientMs).then(() => (secondIsAcknowledged = true));
  gate.isClosed = false;
  gate.opened.resolve();
  await first;
  expect(secondIsAcknowledged).toBe(false);
  await second;
  await site.killLitestream();
  expect(await site.restoreBodies()).toEqual(["base", "first", "second"]);
});

test("many writers share a sync, and a gap costs one at the most", async () => {
  await using site = await ReplicaSite.open(store.access);
  site.startLitestream();
  let syncs = 0;
  const sync = () => ((syncs += 1), site.sync());
  const { replication } = site.replicate({ sync, pace: new RoundPace(26_000_000, { gapMs: 250 }) });
  site.write("base");
  await replication.replicate(patientMs);
  const [before, startedAt] = [syncs, performance.now()];
  const writers = Array.from({ length: 20 }, async (_, writer) => {
    for (let write = 0; write < 3; write += 1) {
      site.write(`${writer} ${write}`);
      await replication.replicate(patientMs);
    }
  });
  await Promise.all(writers);
  const gaps = (performance.now() - startedAt) / 250;
  expect(syncs - before).toBeLessThanOrEqual(Math.ceil(gaps) + 1);
  expect(syncs - before).toBeLessThan(20);
});

test("a clean stop names the newest TXID of the bucket, and nothing is acknowledged after it", async () => {
  await using site = await ReplicaSite.open(store.access);
  site.startLitestream();
  const { replication } = site.replicate();
  site.write("last");
  const txid = await replication.stop(patientMs);
  await site.killLitestream();
  expect(await fetchChain(site.bucket, site.mark.epoch)).toMatchObject({ state: "whole", newestTxid: txid });
  expect(await site.restoreBodies()).toEqual(["last"]);
  await expect(replication.replicate(patientMs)).rejects.toThrow("the server stops");
});

test("on a store that cannot fence, bucket writes are refused unless that is accepted, and a clean stop still works", async () => {
  await using site = await ReplicaSite.open(store.access);
  site.startLitestream();
  const { replication: careful } = site.replicate({ fence: "advisory" });
  site.write("one");
  expect(careful.bucketRefusal).not.toBeNull();
  await expect(careful.replicate(patientMs)).rejects.toThrow("LIFEBOAT_ACCEPT_ADVISORY_FENCE");
  await careful.upload(patientMs);
  expect(careful.state).toBe("living");
  await expect(careful.replicate(patientMs)).rejects.toThrow("LIFEBOAT_ACCEPT_ADVISORY_FENCE");
  expect(await careful.stop(patientMs)).toMatch(/^[0-9a-f]{16}$/);

  const { replication: trusting } = site.replicate({ fence: "advisory", acceptAdvisoryFence: true });
  expect(trusting.bucketRefusal).toBeNull();
  await trusting.replicate(patientMs);
});

test("while the base of a big database goes up, bucket writes are refused before they are written", async () => {
  await using site = await ReplicaSite.open(store.access);
  const { replication } = site.replicate({ baseBytes: () => 33 * 1024 * 1024 });
  expect(replication.bucketRefusal).not.toBeNull();
  expect(replication.uploadProgress).toMatch(/^base of 33\.0 MB going up for \d+\.\d s$/);
  site.startLitestream();
  // A backup point waits all the same.
  await replication.upload(patientMs);
  expect(replication.bucketRefusal).toBeNull();
  expect(replication.uploadProgress).toBe(null);
});

/** The same bucket, with something done before each PUT. */
function beforePut(bucket: Bucket, act: (key: string) => Promise<void>): Bucket {
  return {
    ...bucket,
    put: async (key, text, condition) => {
      await act(key);
      return bucket.put(key, text, condition);
    },
  };
}
