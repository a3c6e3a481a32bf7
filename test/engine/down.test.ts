import { rm } from "node:fs/promises";
import { join } from "node:path";

import { CreateBucketCommand, DeleteObjectCommand, ListBucketsCommand, PutObjectCommand } from "@aws-sdk/client-s3";
import { afterAll, beforeAll, expect, test } from "vitest";

import { serverTypes } from "./hcloud/catalogue.ts";
import { noFaults } from "./hcloud/faults.ts";
import {
  listKeys,
  onlyServer,
  openScenario,
  readText,
  type Scenario,
  takeHetznerCalls,
  productionBucket as bucket,
} from "./project/open-scenario.ts";
import { apiToken } from "./project/open-stack.ts";
import { runVerb } from "./project/run-verb.ts";

// One stack, taken down again and again by `npm run down`: every test goes on where the one before it ended.
let scenario: Scenario;

beforeAll(async () => {
  scenario = await openScenario();
  await scenario.stack.up();
  takeHetznerCalls(scenario);
});
afterAll(() => scenario[Symbol.asyncDispose]());

function run(...words: ["up" | "down", ...string[]]) {
  return runVerb({ project: scenario, checkout: scenario.checkout }, words);
}

function deleteAll() {
  return run("down", "--yes", "--delete-data", "--bucket-name", bucket);
}

test("a dry run shows what goes and what is kept, and touches nothing", async () => {
  const { code, stdout } = await run("down", "--dry-run");
  expect(stdout).toMatch(/^delete +machine +hcloud Firewall, Server$/m);
  expect(stdout).toMatch(/^keep +data-fsn1 +hcloud Volume$/m);
  expect(code).toBe(0);
  expect(takeHetznerCalls(scenario)).toEqual([]);
  expect(scenario.machines.stopped.size).toBe(0);
});

test("without a terminal and without --yes nothing is stopped", async () => {
  const { code, stderr } = await run("down");
  expect(stderr).toContain("--yes");
  expect(code).toBe(1);
  expect(scenario.machines.stopped.size).toBe(0);
});

test("a machine whose last sync failed is not destroyed", async () => {
  scenario.machines.failStop("the app ended with exit-code (1): the bucket does not answer");
  const { code, stderr } = await run("down", "--yes");
  expect(stderr).toMatch(/the bucket does not answer/);
  expect(stderr).toContain("--without-final-sync");
  expect(code).toBe(1);
  expect(takeHetznerCalls(scenario)).toEqual([]);
  const { id, status } = onlyServer(scenario);
  expect(status).toBe("running");
  // It was tried, and what was served before is served again.
  expect(scenario.machines.serviceCalls.splice(0)).toEqual([`stop ${id}`, `start ${id}`]);
  expect(scenario.machines.stopped.size).toBe(0);
});

test("a machine that cannot be reached is not destroyed", async () => {
  const server = onlyServer(scenario);
  server.status = "off";
  const { code, stderr } = await run("down", "--yes");
  server.status = "running";
  expect(stderr).toContain("Connection refused");
  expect(code).toBe(1);
  expect(takeHetznerCalls(scenario)).toEqual([]);
});

test("a machine that has not published its host keys is not trusted, and not destroyed", async () => {
  scenario.machines.failStop(null);
  const key = `reports/host-keys/${onlyServer(scenario).id}`;
  const told = await readText(scenario, bucket, key);
  await remove(key);
  const { code, stderr } = await run("down", "--yes");
  await put(key, told);
  expect(stderr).toContain("SSH host keys");
  expect(stderr).toContain("--without-final-sync");
  expect(code).toBe(1);
  expect([takeHetznerCalls(scenario), scenario.machines.serviceCalls]).toEqual([[], []]);
  scenario.machines.failStop("the bucket does not answer");
});

test("with --without-final-sync it is destroyed all the same, and an up brings it back", async () => {
  const [volume] = onlyServer(scenario).volumes;
  const { code } = await run("down", "--yes", "--without-final-sync");
  scenario.machines.failStop(null);
  expect(code).toBe(0);
  expect(scenario.hetzner.cloud.servers.size).toBe(0);
  expect((await run("up", "--yes")).code).toBe(0);
  expect(onlyServer(scenario).volumes).toEqual([volume]);
});

test("a down stops the services before anything goes, keeps the data, and prints the recovery card", async () => {
  const { id } = onlyServer(scenario);
  takeHetznerCalls(scenario);
  const { code, stdout } = await run("down", "--yes");
  console.log(stdout);
  expect(code).toBe(0);
  expect(scenario.machines.stopped.has(id)).toBe(true);
  expect(stdout.indexOf("final sync")).toBeLessThan(stdout.indexOf("deleted"));
  expect(stdout).toContain("LIFEBOAT RECOVERY CARD  lifeboat/production");
  expect(stdout).toContain(`s3://${bucket}/recovery-card.txt`);
  expect(takeHetznerCalls(scenario).filter((call) => call.includes("volumes"))).toEqual([]);
  expect(scenario.hetzner.cloud.volumes.size).toBe(1);
  expect(await listKeys(scenario, bucket)).toContain("recovery-card.txt");
});

test("a down of a stack that is down says so", async () => {
  const { code, stdout } = await run("down", "--yes");
  expect(stdout).toContain("nothing of it stands");
  expect(code).toBe(0);
});

test("the data is deleted only for somebody who names the bucket", async () => {
  const unnamed = await run("down", "--yes", "--delete-data");
  expect(unnamed.stderr).toContain(`--bucket-name ${bucket}`);
  const misnamed = await run("down", "--yes", "--delete-data", "--bucket-name", "lifeboat-staging-123456789012");
  expect(misnamed.stderr).toContain(`the bucket is ${bucket}`);
  expect([unnamed.code, misnamed.code]).toEqual([1, 1]);
  expect(scenario.hetzner.cloud.volumes.size).toBe(1);
  expect(await listKeys(scenario, bucket)).toContain("lifeboat.json");
});

test("data whose bucket names another owner, or none, is not deleted by its name alone", async () => {
  const sentinel = await readText(scenario, bucket, "lifeboat.json");
  await put("lifeboat.json", sentinel.replace("lifeboat/production", "lifeboat/staging"));
  const foreign = await deleteAll();
  expect(foreign.stderr).toMatch(/belongs to lifeboat\/staging, and this is lifeboat\/production/);
  await put("lifeboat.json", sentinel.replace("owner", "formerOwner"));
  const unnamed = await deleteAll();
  expect(unnamed.stderr).toContain("belongs to nobody who is named");
  await remove("lifeboat.json");
  const lost = await deleteAll();
  expect(lost.stderr).toContain("has no lifeboat.json and is not empty");
  expect([foreign.code, unnamed.code, lost.code]).toEqual([1, 1, 1]);
  await put("lifeboat.json", sentinel);
  expect(scenario.hetzner.cloud.volumes.size).toBe(1);
  expect(await listKeys(scenario, bucket)).toContain("recovery.json");
});

test("deleting a stack that is down reports missing settings of the store, and ignores other faults", async () => {
  await scenario.stack.setConfig("store", { value: "minio" });
  await scenario.stack.setConfig("volumeSizeGb", { value: "5" });
  const { code, stderr } = await deleteAll();
  await scenario.stack.removeConfig("store");
  await scenario.stack.removeConfig("volumeSizeGb");
  expect(code).toBe(1);
  expect(stderr).toContain("bucket is missing: store minio needs the name of a bucket");
  expect(stderr).not.toMatch(/volumeSizeGb|^ {4}at /m);
});

test("the data of a stack that is down can be deleted without an offer, a release or tokens: volumes, every version, the bucket", async () => {
  scenario.hetzner.cloud.faults = { ...noFaults, soldOut: serverTypes.map(({ name }) => name) };
  await rm(join(scenario.checkout.directory, ".release"), { recursive: true });
  await scenario.stack.removeConfig("apiTokens");
  const { code, stdout, stderr } = await deleteAll();
  console.log(stdout);
  expect(stderr).toBe("");
  expect(code).toBe(0);
  expect(stdout).toContain("its settings say where the data lies");
  expect(scenario.hetzner.cloud.volumes.size).toBe(0);
  expect((await scenario.account.s3.send(new ListBucketsCommand())).Buckets ?? []).toEqual([]);
});

test("a deletion that was cut off after the last object is finished", async () => {
  await scenario.account.s3.send(new CreateBucketCommand({ Bucket: bucket }));
  const { code, stderr } = await deleteAll();
  expect(stderr).toBe("");
  expect(code).toBe(0);
  expect((await scenario.account.s3.send(new ListBucketsCommand())).Buckets ?? []).toEqual([]);
});

test("an up after that begins anew, and a down of the living stack deletes all in one go", async () => {
  scenario.hetzner.cloud.faults = noFaults;
  await scenario.checkout.build("release one");
  await scenario.stack.setConfig("apiTokens", { value: apiToken, secret: true });
  expect((await run("up", "--yes")).code).toBe(0);
  const { code, stderr } = await deleteAll();
  expect(stderr).toBe("");
  expect(code).toBe(0);
  const { servers, volumes, primary_ips, firewalls } = scenario.hetzner.cloud;
  expect([servers.size, volumes.size, firewalls.size]).toEqual([0, 0, 0]);
  expect(primary_ips.size).toBe(0);
  expect((await scenario.account.s3.send(new ListBucketsCommand())).Buckets ?? []).toEqual([]);
});

async function put(Key: string, Body: string): Promise<void> {
  await scenario.account.s3.send(new PutObjectCommand({ Bucket: bucket, Key, Body }));
}

async function remove(Key: string): Promise<void> {
  await scenario.account.s3.send(new DeleteObjectCommand({ Bucket: bucket, Key }));
}
