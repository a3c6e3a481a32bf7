import { hash } from "node:crypto";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { copyFile } from "node:fs/promises";
import { join } from "node:path";

import {
  GetBucketLifecycleConfigurationCommand,
  GetBucketVersioningCommand,
  ListBucketsCommand,
  ListObjectsV2Command,
  PutObjectCommand,
} from "@aws-sdk/client-s3";
import { afterAll, beforeAll, expect, test } from "vitest";

import { checkOut } from "./project/check-out.ts";
import {
  failureOf,
  listKeys,
  onlyServer,
  openScenario,
  readObject,
  readText,
  type Scenario,
  settingOf,
  takeHetznerCalls,
  productionBucket as bucket,
} from "./project/open-scenario.ts";
import { apiToken, openShippedStack } from "./project/open-stack.ts";

// One life of one stack: every test goes on where the one before it ended.
let scenario: Scenario;
let releaseOne: string;
let releaseTwo: string;

beforeAll(async () => {
  scenario = await openScenario();
  releaseOne = await scenario.checkout.build("release one");
});
afterAll(() => scenario[Symbol.asyncDispose]());

test("a preview makes nothing", async () => {
  const { changeSummary } = await scenario.stack.preview();
  expect(Object.keys(changeSummary)).toEqual(["create"]);
  expect([takeHetznerCalls(scenario), scenario.calls]).toEqual([[], []]);
  expect((await scenario.account.s3.send(new ListBucketsCommand())).Buckets ?? []).toEqual([]);
});

test("the first up makes a machine that fetches its release with its own key", async () => {
  const { outputs, summary } = await scenario.stack.up();
  expect(Object.keys(summary.resourceChanges ?? {})).toEqual(["create"]);
  const server = onlyServer(scenario);
  expect(server.volumes).toHaveLength(1);
  expect(outputs["url"]?.value).toBe(`https://${server.public_net.ipv4?.ip}`);
  const accessKeyId = settingOf(server, "LITESTREAM_ACCESS_KEY_ID");
  expect(scenario.machines.running.get(server.id)).toMatchObject({ release: releaseOne, accessKeyId });
  expect(await readObject(scenario, bucket, "desired-release.json")).toEqual({ sha256: releaseOne, previous: null });
  expect(settingOf(server, "LIFEBOAT_BUCKET_ID")).toBe(outputs["bucketId"]?.value);
  takeHetznerCalls(scenario);
});

test("the first up leaves no head behind: it belongs to the machines", async () => {
  const kept = ["desired-release.json", "lifeboat.json", "recovery-card.txt", "recovery.json", "wanted-release.json"];
  const releases = [`releases/${releaseOne}.tar.gz`];
  expect(new Set(await listKeys(scenario, bucket))).toEqual(new Set([...kept, ...releases]));
});

test("the recovery settings are in the bucket, and contain no secret", async () => {
  const outputs = await scenario.stack.outputs();
  expect(await readText(scenario, bucket, "recovery-card.txt")).toContain(String(outputs["bucketId"]?.value));
  const recovery = await readObject(scenario, bucket, "recovery.json");
  expect(recovery).toMatchObject({
    format: 1,
    owner: "lifeboat/production",
    bucketId: outputs["bucketId"]?.value,
    config: { "lifeboat:bucket": bucket, "lifeboat:location": "fsn1", "lifeboat:adminCidrs[0]": "203.0.113.7/32" },
  });
  for (const secret of listSecrets()) expect(JSON.stringify(recovery)).not.toContain(secret);
});

test("the bucket is versioned, takes nothing without TLS, and expires no current object", async () => {
  const { s3, plainS3 } = scenario.account;
  const asked = { Bucket: bucket };
  expect((await s3.send(new GetBucketVersioningCommand(asked))).Status).toBe("Enabled");
  await expect(plainS3.send(new ListObjectsV2Command(asked))).rejects.toThrow("Access Denied");
  const { Rules = [] } = await s3.send(new GetBucketLifecycleConfigurationCommand(asked));
  const days = Rules.map(({ NoncurrentVersionExpiration }) => NoncurrentVersionExpiration?.NoncurrentDays);
  expect(days).toEqual([3, 30]);
  expect(Rules.flatMap(({ Expiration }) => Expiration?.Days ?? Expiration?.Date ?? [])).toEqual([]);
});

test("the machine's key writes its epochs and nothing that a new machine would trust", async () => {
  const server = onlyServer(scenario);
  const [accessKeyId, secretAccessKey] = ["ACCESS_KEY_ID", "SECRET_ACCESS_KEY"].map((name) =>
    settingOf(server, `LITESTREAM_${name}`),
  );
  const key = { accessKeyId: accessKeyId ?? "", secretAccessKey: secretAccessKey ?? "" };
  const machine = scenario.account.openAs(key, server.public_net.ipv4?.ip);
  const put = (Key: string, client = machine) => client.send(new PutObjectCommand({ Bucket: bucket, Key, Body: "x" }));
  await put("epochs/0001-00000000/x");
  await expect(put("desired-release.json")).rejects.toThrow("Access Denied");
  await expect(put(`releases/${releaseOne}.tar.gz`)).rejects.toThrow("Access Denied");
  await expect(put("recovery.json")).rejects.toThrow("Access Denied");
  await put("epochs/0001-00000000/x", scenario.account.openAs(key, "127.0.0.1"));
  const thief = scenario.account.openAs(key, "127.20.1.1");
  await expect(put("epochs/0001-00000000/x", thief)).rejects.toThrow("Access Denied");
});

test("no secret stands in the state or in the config in clear", async () => {
  const secrets = listSecrets();
  const files = [scenario.stateDirectory, scenario.checkout.directory].flatMap(listStateFiles);
  const texts = files.map((file) => readFileSync(file, "utf8"));
  expect(texts.filter((text) => text.includes("lifeboat-production")).length).toBeGreaterThan(0);
  for (const secret of secrets) {
    expect(secret.length).toBeGreaterThan(20);
    expect(files.filter((_file, index) => texts[index]?.includes(secret))).toEqual([]);
  }
});

test("a second up changes nothing, also when it refreshes before, which makes the provider believe that settings are the bucket's", async () => {
  scenario.calls.length = 0;
  const { summary } = await scenario.stack.up({ refresh: true });
  expect(scenario.calls).toEqual([]);
  expect(Object.keys(summary.resourceChanges ?? {})).toEqual(["same"]);
  expect(takeHetznerCalls(scenario)).toEqual([]);
  expect((await scenario.account.s3.send(new GetBucketVersioningCommand({ Bucket: bucket }))).Status).toBe("Enabled");
});

test("the same repository in another folder plans no change", async () => {
  const elsewhere = await checkOut(scenario);
  const settings = "Pulumi.production.yaml";
  await copyFile(join(scenario.checkout.directory, settings), join(elsewhere.directory, settings));
  const { changeSummary } = await (await openShippedStack(scenario, elsewhere)).preview();
  expect(Object.keys(changeSummary)).toEqual(["same"]);
  scenario.workplace.directory = join(scenario.checkout.directory, "infra");
  const { deployment } = await scenario.stack.exportStack();
  // The engine notes where in the sources a resource was declared, and compares that with nothing.
  const state = JSON.stringify(deployment, (key, value: unknown) => (key === "sourcePosition" ? undefined : value));
  expect(state).not.toContain("/checkout-");
});

test("a release that does not get ready fails the up, and stays no machine's desired release", async () => {
  releaseTwo = await scenario.checkout.build("release two");
  scenario.machines.refuse("boot refused: no head, but epochs exist");
  expect(await failureOf(scenario.stack.up())).toContain("boot refused: no head, but epochs exist");
  expect(await readObject(scenario, bucket, "desired-release.json")).toEqual({ sha256: releaseOne, previous: null });
});

test("the next up brings the new release to the running machine and replaces nothing", async () => {
  scenario.machines.refuse(null);
  await scenario.stack.up();
  expect(takeHetznerCalls(scenario)).toEqual([]);
  expect(scenario.machines.running.get(onlyServer(scenario).id)?.release).toBe(releaseTwo);
  expect(await readObject(scenario, bucket, "desired-release.json")).toEqual({
    sha256: releaseTwo,
    previous: releaseOne,
  });
  expect(await listKeys(scenario, bucket)).toContain(`releases/${releaseOne}.tar.gz`);
});

test("another user-data alone replaces no machine, and the recovery settings have the change", async () => {
  await scenario.stack.setConfig("retentionHours", { value: "200" });
  await scenario.stack.up();
  expect(takeHetznerCalls(scenario)).toEqual([]);
  expect(await readObject(scenario, bucket, "recovery.json")).toMatchObject({
    config: { "lifeboat:retentionHours": "200" },
  });
});

test("a rebuild shuts the machine down, then takes its disk, and keeps volume and address", async () => {
  const before = onlyServer(scenario);
  await scenario.stack.setConfig("rebuild", { value: "1" });
  await scenario.stack.up();
  const volume = scenario.hetzner.cloud.volumes.get(before.volumes[0] ?? 0);
  const calls = takeHetznerCalls(scenario);
  console.log(["the calls of a replacement, in their order:", ...calls].join("\n  "));
  expect(calls).toEqual([
    "POST servers/lifeboat-production/actions/shutdown",
    "DELETE servers/lifeboat-production",
    "POST servers/lifeboat-production",
    `POST volumes/${volume?.name}/actions/attach`,
  ]);
  const after = onlyServer(scenario);
  expect(after.id).not.toBe(before.id);
  expect(after.public_net.ipv4?.ip).toBe(before.public_net.ipv4?.ip);
  expect(after.volumes).toEqual([volume?.id]);
  expect(settingOf(after, "LIFEBOAT_RETENTION_HOURS")).toBe("200");
  expect(scenario.machines.running.get(after.id)?.release).toBe(releaseTwo);
});

test("a new key, other tokens and a heartbeat URL reach the running machine before the old key is revoked", async () => {
  const server = onlyServer(scenario);
  const before = scenario.machines.running.get(server.id);
  scenario.calls.length = 0;
  const [another, heartbeatUrl] = ["another-token-of-the-tests", "https://ping.example/a-secret"];
  const secrets = { apiTokens: `${apiToken},shop:${another}`, heartbeatUrl, keyGeneration: "2" };
  for (const [name, value] of Object.entries(secrets)) await scenario.stack.setConfig(name, { value, secret: true });
  await scenario.stack.up();
  const after = scenario.machines.running.get(server.id);
  expect(after?.edge["LIFEBOAT_EDGE_ACCESS_KEY_ID"]).not.toBe(before?.edge["LIFEBOAT_EDGE_ACCESS_KEY_ID"]);
  expect(after?.accessKeyId).not.toBe(before?.accessKeyId);
  expect(before).toMatchObject({ tokens: `${hash("sha256", apiToken)}\n`, heartbeatUrl: "" });
  expect(after).toMatchObject({
    tokens: `${hash("sha256", apiToken)}\nshop:${hash("sha256", another)}\n`,
    heartbeatUrl,
  });
  const steps = scenario.calls.map(({ verb, name }) => `${verb} ${name}`).filter((step) => !/ recovery-/.test(step));
  const at = steps.indexOf("update active-activation");
  expect([steps.slice(0, at).toSorted(), steps.slice(at + 1).toSorted()]).toEqual([
    ["create access-edge-fsn1-2", "create access-machine-fsn1-2"],
    ["delete access-edge-fsn1-1", "delete access-machine-fsn1-1"],
  ]);
  expect(takeHetznerCalls(scenario)).toEqual([]);
});

test("destroy shuts the machine down and keeps the bucket, its history and the volume", async () => {
  const keys = await listKeys(scenario, bucket);
  await scenario.stack.destroy();
  const calls = takeHetznerCalls(scenario);
  expect(calls.slice(0, 2)).toEqual([
    "POST servers/lifeboat-production/actions/shutdown",
    "DELETE servers/lifeboat-production",
  ]);
  expect(calls.filter((call) => call.includes("volumes"))).toEqual([]);
  expect([scenario.hetzner.cloud.servers.size, scenario.hetzner.cloud.volumes.size]).toEqual([0, 1]);
  expect(await listKeys(scenario, bucket)).toEqual(keys);
});

test("an up after destroy comes back with the same bucket and the same volume", async () => {
  const [volume] = scenario.hetzner.cloud.volumes.keys();
  const sentinel = await readObject(scenario, bucket, "lifeboat.json");
  await scenario.stack.up();
  expect(onlyServer(scenario).volumes).toEqual([volume]);
  expect(await readObject(scenario, bucket, "lifeboat.json")).toEqual(sentinel);
  expect(scenario.machines.running.get(onlyServer(scenario).id)?.release).toBe(releaseTwo);
});

function listSecrets(): string[] {
  const keys = ["LITESTREAM", "LIFEBOAT_EDGE"].map((of) => settingOf(onlyServer(scenario), `${of}_SECRET_ACCESS_KEY`));
  return [...keys, scenario.hetzner.token, apiToken];
}

function listStateFiles(directory: string): string[] {
  const names = readdirSync(directory, { recursive: true, encoding: "utf8" });
  const own = names.filter((name) => directory === scenario.stateDirectory || /^Pulumi\..*yaml$/.test(name));
  return own.map((name) => join(directory, name)).filter((path) => statSync(path).isFile());
}
