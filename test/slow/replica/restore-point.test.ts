import { setTimeout as sleep } from "node:timers/promises";

import { afterAll, beforeAll, expect, test } from "vitest";

import { fetchKeptTxid } from "../../../app/replica/chain.ts";
import { makeRestorePoint } from "../../../app/replica/restore-point.ts";
import { type SeaweedStore, startSeaweedStore } from "../../../scripts/local/seaweed-store.ts";
import { ReplicaSite } from "../../replica/replication-site.ts";

let store: SeaweedStore;
beforeAll(async () => {
  store = await startSeaweedStore();
});
afterAll(() => store[Symbol.asyncDispose]());

// A plain sync is not enough: its TXID ends up inside a file of level 1, to which Litestream cannot restore.
test("a restore point ends a file that Litestream keeps, and holds exactly what was committed before it", async () => {
  await using site = await ReplicaSite.open(store.access);
  site.startLitestream();
  const { replication } = site.replicate();
  for (let round = 1; round <= 3; round++) {
    site.write(`before ${round}`);
    await replication.upload(30_000);
    await sleep(300);
  }
  const point = await makeRestorePoint(site.bucket, replication);
  const txid = /TXID ([0-9a-f]{16})/.exec(point)?.[1] ?? "none";
  expect(txid >= (replication.replicatedTxid ?? "none")).toBe(true);
  for (let round = 1; round <= 3; round++) {
    site.write(`after ${round}`);
    await replication.upload(30_000);
  }
  const later = replication.replicatedTxid ?? "";
  for (let kept = ""; kept < later; await sleep(1_000)) {
    kept = (await fetchKeptTxid(site.bucket, site.mark.epoch)) ?? "";
  }
  const keys = await Array.fromAsync(site.bucket.list(`epochs/${site.mark.epoch}/`));
  const ends = keys.filter((key) => /\/000[19]\//.test(key) && key.endsWith(`-${txid}.ltx`));
  expect(ends, keys.join(" ")).not.toEqual([]);
  expect(await site.restoreBodies()).toHaveLength(6);
  expect(await site.restoreBodies(txid)).toEqual(["before 1", "before 2", "before 3"]);
});
