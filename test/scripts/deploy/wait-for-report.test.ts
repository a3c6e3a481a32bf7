import { setTimeout as sleep } from "node:timers/promises";

import { PutObjectCommand } from "@aws-sdk/client-s3";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";

import { type DeployReport, deployReportKey, draftReport } from "../../../app/deploys/deploy-report.ts";
import { BucketError } from "../../../app/replica/bucket-error.ts";
import { fetchDesiredRelease, writeDesiredRelease } from "../../../scripts/deploy/desired-release.ts";
import { waitForReport } from "../../../scripts/deploy/wait-for-report.ts";
import { claimDeploy, type Claimed, fetchReport, withdrawWish } from "../../../scripts/deploy/wish.ts";
import { type CloudStore, openCloudStore } from "../../../scripts/store/open-client.ts";
import { ScriptedStore } from "../store/scripted-store.ts";

// What whoever deploys sees, at a real store. The machine is played by the reports that it would write.
const [old, next] = ["1".repeat(64), "2".repeat(64)];

let scripted: ScriptedStore;
let store: CloudStore;
let wish: Claimed;
beforeAll(async () => {
  scripted = await ScriptedStore.open();
});
afterAll(() => scripted[Symbol.asyncDispose]());
beforeEach(async () => {
  const name = await scripted.newBucket();
  store = await openCloudStore(scripted.place(name), async () => scripted.access.secretAccessKey);
  wish = await claimDeploy(store, { way: "bucket", sha256: next, by: "ada" });
  return () => store[Symbol.dispose]();
});

async function put(key: string, value: unknown): Promise<void> {
  await store.client.send(new PutObjectCommand({ Bucket: store.bucket, Key: key, Body: JSON.stringify(value) }));
}

const report = (changed: Partial<DeployReport>) =>
  put(deployReportKey(wish.deploy), { ...draftReport(wish, "4711", old), ...changed });
const replace = () => put("wanted-release.json", { ...wish, deploy: "another", by: "bob" });
const wait = (silenceMs: number, from = store) =>
  waitForReport(from, { deploy: wish.deploy, silenceMs, onNews: () => undefined });

test("a deploy that has ended is not overtaken by what comes after it", async () => {
  await report({ outcome: "serving" });
  await replace();
  expect(await wait(5_000)).toMatchObject({ kind: "reported", report: { outcome: "serving" } });
});

test("one that ends while its successor is seen is not overtaken either", async () => {
  await replace();
  let calls = 0;
  const racing = intercept(async () => {
    calls += 1;
    if (calls === 2) await report({ outcome: "serving" });
  });
  expect(await wait(5_000, racing)).toMatchObject({ kind: "reported" });
});

test("one that has not ended is overtaken, and told by whom", async () => {
  await report({});
  await replace();
  expect(await wait(5_000)).toEqual({ kind: "overtaken", by: "bob" });
});

test("while the store does not answer here, nobody falls silent", { timeout: 30_000 }, async () => {
  await report({});
  const backAt = performance.now() + 3_000;
  const offline = intercept(async () => {
    if (performance.now() < backAt) throw new BucketError("unreachable", "GET", { detail: "no network" });
  });
  const waiting = wait(3_500, offline);
  await sleep(5_000);
  await report({ outcome: "serving" });
  expect(await waiting).toMatchObject({ kind: "reported" });
});

test("a store that stays away ends the waiting, with its fault", { timeout: 30_000 }, async () => {
  const dead = intercept(() => Promise.reject(new BucketError("unreachable", "GET", { detail: "no network" })));
  expect(await wait(1_500, dead)).toMatchObject({ kind: "silence", fault: expect.stringContaining("no network") });
});

test.each([
  ["nobody has said anything of", true, null],
  ["waits", true, { cause: "the machine boots" }],
  ["is begun", false, { cause: null }],
  ["is over", false, { outcome: "stopped" as const }],
])("of a wish that %s, taking it back succeeds: %s", async (_what, expected, said) => {
  if (said !== null) await report(said);
  expect(await withdrawWish(store, wish)).toBe(expected);
  const after = await fetchReport(store, wish.deploy);
  expect(after?.cause === "it was taken back: no machine had begun it").toBe(expected);
});

test("new machines follow the later deploy, however late the deployer of the earlier one comes", async () => {
  await writeDesiredRelease(store, old);
  expect(await writeDesiredRelease(store, next, wish.deploy)).toEqual({ sha256: next, previous: old });
  const later = "3".repeat(64);
  await put("wanted-release.json", { ...wish, deploy: "later", sha256: later });
  expect(await writeDesiredRelease(store, later, "later")).toMatchObject({ sha256: later });
  expect(await writeDesiredRelease(store, next, wish.deploy)).toMatchObject({ sha256: later });
  expect(await fetchDesiredRelease(store)).toEqual({ sha256: later, previous: next });
});

/** The store, with something that happens before each call. */
function intercept(before: () => Promise<unknown>): CloudStore {
  const send = async (...words: Parameters<CloudStore["client"]["send"]>) => {
    await before();
    return store.client.send(...words);
  };
  return { ...store, client: Object.assign(Object.create(store.client), { send }) };
}
