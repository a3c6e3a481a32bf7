import { setTimeout as sleep } from "node:timers/promises";

import { afterAll, beforeAll, expect, test } from "vitest";

import { waitFor } from "../../app/cli/wait-for.ts";
import { type SeaweedStore, startSeaweedStore } from "../../scripts/local/seaweed-store.ts";
import type { Logged } from "../recorded-log.ts";
import { ReplicaSite } from "./replication-site.ts";

const patientMs = 30_000;

let store: SeaweedStore;
beforeAll(async () => void (store = await startSeaweedStore()));
afterAll(() => store[Symbol.asyncDispose]());

/** A site that has come to life, with one row in the bucket. */
async function openLiving() {
  const site = await ReplicaSite.open(store.access);
  site.startLitestream();
  const opened = site.replicate();
  site.write("before");
  await opened.replication.replicate(patientMs);
  return { site, ...opened };
}

test(
  "a write that waits while the store is down is acknowledged when it is back, a hasty one is told that it is not replicated",
  { timeout: 60_000 },
  async () => {
    const { site, replication } = await openLiving();
    await using _ = site;
    await site.proxy.goDown();
    site.write("during");
    const patient = replication.replicate(patientMs);
    await expect(replication.replicate(1_000)).rejects.toMatchObject({
      name: "NotReplicated",
      message: /not in the bucket after 1000 ms/,
    });
    await sleep(2_000);
    expect(replication.state).toBe("living");
    await site.proxy.comeBack();
    await patient;
    await site.killLitestream();
    expect(await site.restoreBodies()).toEqual(["before", "during"]);
  },
);

test(
  "a store that accepts and never answers ends in NotReplicated in time, and not for good",
  { timeout: 60_000 },
  async () => {
    const { site, replication, fencedBy } = await openLiving();
    await using _ = site;
    site.proxy.answerWith(() => "never");
    site.write("during");
    const startedAt = performance.now();
    await expect(replication.replicate(500)).rejects.toMatchObject({ name: "NotReplicated" });
    expect(performance.now() - startedAt).toBeLessThan(5_000);
    site.proxy.pass();
    await replication.replicate(patientMs);
    expect(await site.restoreBodies()).toEqual(["before", "during"]);
    expect(fencedBy).toEqual([]);
  },
);

test("without Litestream a write is not replicated and the cause is named; when Litestream starts, it works", async () => {
  await using site = await ReplicaSite.open(store.access);
  const { replication } = site.replicate();
  site.write("one");
  await expect(replication.replicate(300)).rejects.toMatchObject({
    name: "NotReplicated",
    cause: { message: expect.stringMatching(/Litestream POST \/sync: connect ENOENT/) },
  });
  site.startLitestream();
  await replication.replicate(patientMs);
  expect(await site.restoreBodies()).toEqual(["one"]);
});

test("each outage is logged once, and its cause is forgotten when it is over", { timeout: 60_000 }, async () => {
  const { site, replication, logged } = await openLiving();
  await using _ = site;
  const whileOpening = countOutages(logged);
  for (const outage of [1, 2]) {
    await site.killLitestream();
    site.write(`outage ${outage}`);
    const waiting = replication.replicate(patientMs);
    const isLogged = async () => (countOutages(logged) === whileOpening + outage ? true : null);
    await waitFor(`the log line of outage ${outage}`, isLogged, { timeoutMs: patientMs });
    await sleep(600);
    expect(countOutages(logged)).toBe(whileOpening + outage);
    site.startLitestream();
    await waiting;
  }
  site.proxy.answerWith(({ method }) => (method === "PUT" ? "never" : null));
  site.write("silence");
  await expect(replication.replicate(300)).rejects.toMatchObject({
    cause: { message: "the sync has not been answered yet" },
  });
});

test("while a key is refused, nothing is acknowledged", async () => {
  const { site, replication } = await openLiving();
  await using _ = site;
  const denied = {
    status: 403,
    headers: { "content-type": "application/xml" },
    body: "<Error><Code>AccessDenied</Code></Error>",
  };
  site.proxy.answerWith(({ method, path }) => (method === "GET" && path.endsWith("/head.json") ? denied : null));
  site.write("during");
  await expect(replication.replicate(1_000)).rejects.toMatchObject({
    name: "NotReplicated",
    cause: { message: expect.stringContaining("AccessDenied") },
  });
  expect(replication.state).toBe("living");
  site.proxy.pass();
  await replication.replicate(patientMs);
});

function countOutages(logged: readonly Logged[]): number {
  return logged.filter(({ event }) => event === "not replicated, trying again").length;
}
