import { GetObjectCommand, PutObjectCommand } from "@aws-sdk/client-s3";
import { afterAll, beforeAll, expect, test } from "vitest";

import { waitFor } from "../../app/cli/wait-for.ts";
import { type DeployReport, deployReportKey } from "../../app/deploys/deploy-report.ts";
import {
  onlyServer,
  openScenario,
  productionBucket as bucket,
  readObject,
  type Scenario,
} from "./project/open-scenario.ts";
import { runVerb, type VerbRun } from "./project/run-verb.ts";

// One stack, deployed by the bucket: every test goes on where the one before it ended. The machine's part is played;
// test/machine/deploys.test.ts has the real one.
let scenario: Scenario;
let one: string;
let two: string;

beforeAll(async () => {
  scenario = await openScenario();
  one = await scenario.checkout.build("release one");
  await scenario.stack.setConfig("deployKey", { value: "true" });
  await scenario.stack.up();
});
afterAll(() => scenario[Symbol.asyncDispose]());

const run = (...words: Parameters<typeof runVerb>[1]) =>
  runVerb({ project: scenario, checkout: scenario.checkout }, words);
const readWish = async () => Object(await readObject(scenario, bucket, "wanted-release.json"));

async function putReport(changed: Partial<DeployReport>): Promise<void> {
  const { deploy, sha256 } = await readWish();
  const now = new Date().toISOString();
  const open = { previous: null, cause: null, next: null, words: null, machine: "1", startedAt: now, seenAt: now };
  const Body = JSON.stringify({ format: 1, deploy, sha256, outcome: "working", endedAt: null, ...open, ...changed });
  await scenario.account.s3.send(new PutObjectCommand({ Bucket: bucket, Key: deployReportKey(deploy), Body }));
}

/** Runs a verb, and serves what it wishes for as soon as it does. */
async function runServed(...words: Parameters<typeof runVerb>[1]): Promise<VerbRun> {
  const { deploy: before } = await readWish();
  const running = run(...words);
  await waitFor("the wish", async () => ((await readWish()).deploy === before ? null : true), {
    timeoutMs: 60_000,
    everyMs: 100,
  });
  await putReport({ outcome: "serving", endedAt: "now" });
  return running;
}

test("an up is a deploy among the others: its wish stands, with its report", async () => {
  const { deploy, ...wish } = await readWish();
  expect(wish).toMatchObject({ sha256: one, way: "ssh", by: expect.stringMatching(/^pulumi up of /) });
  const report = await readObject(scenario, bucket, deployReportKey(deploy));
  expect(report).toMatchObject({ outcome: "serving", sha256: one, machine: String(onlyServer(scenario).id) });
});

test("the deploy key is a secret output, deploys from everywhere, and reads no data", async () => {
  const outputs = await scenario.stack.outputs();
  const { deployAccessKeyId: id, deploySecretAccessKey: secret } = outputs;
  expect([id?.secret, secret?.secret]).toEqual([true, true]);
  const key = { accessKeyId: String(id?.value), secretAccessKey: String(secret?.value) };
  const ci = scenario.account.openAs(key, "127.20.1.1");
  await ci.send(new GetObjectCommand({ Bucket: bucket, Key: "wanted-release.json" }));
  await ci.send(new PutObjectCommand({ Bucket: bucket, Key: "releases/x", Body: "x" }));
  for (const Key of ["head.json", "recovery.json", "reports/deploys/x"])
    await expect(ci.send(new PutObjectCommand({ Bucket: bucket, Key, Body: "x" }))).rejects.toThrow("Access Denied");
  await expect(ci.send(new GetObjectCommand({ Bucket: bucket, Key: "recovery.json" }))).rejects.toThrow(
    "Access Denied",
  );
});

test("a deploy finds its place in the stack, and ends with the URL", async () => {
  two = await scenario.checkout.build("release two");
  const { code, stdout, stderr } = await runServed("deploy");
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(stdout.trim().split("\n").at(-1)).toBe(String((await scenario.stack.outputs())["url"]?.value));
  expect(await readObject(scenario, bucket, "desired-release.json")).toEqual({ sha256: two, previous: one });
});

test("an up with the same program leaves alone what was deployed meanwhile", async () => {
  await scenario.checkout.build("release one");
  const { summary } = await scenario.stack.up();
  expect(Object.keys(summary.resourceChanges ?? {})).toEqual(["same"]);
  expect(await readWish()).toMatchObject({ sha256: two, way: "bucket" });
});

test("a rollback and the list need no Pulumi where the environment names the bucket, with the deploy key", async () => {
  const outputs = await scenario.stack.outputs();
  const environment = {
    LIFEBOAT_BUCKET: bucket,
    LIFEBOAT_REGION: scenario.account.region,
    LIFEBOAT_ENDPOINT: scenario.shell["AWS_ENDPOINT_URL"] ?? "",
    LIFEBOAT_BUCKET_ID: String(outputs["bucketId"]?.value),
    AWS_ACCESS_KEY_ID: String(outputs["deployAccessKeyId"]?.value),
    AWS_SECRET_ACCESS_KEY: String(outputs["deploySecretAccessKey"]?.value),
    PULUMI_HOME: "/nowhere",
    PATH: "/usr/bin:/bin",
  };
  const list = await runVerb({ project: scenario, checkout: scenario.checkout }, ["releases"], { environment });
  expect(list).toMatchObject({
    code: 0,
    stderr: "",
    stdout: expect.stringMatching(new RegExp(`^${two.slice(0, 12)} .*runs, new machines$`, "m")),
  });
});

test("an up waits for a deploy that is under way, and then takes its place", async () => {
  await runServed("rollback");
  const three = await scenario.checkout.build("release three");
  const at = new Date().toISOString();
  const Body = JSON.stringify({ format: 1, deploy: "ada-1", sha256: two, at, by: "ada", way: "bucket" });
  await scenario.account.s3.send(new PutObjectCommand({ Bucket: bucket, Key: "wanted-release.json", Body }));
  await putReport({});
  const upping = scenario.stack.up();
  await new Promise((resolve) => setTimeout(resolve, 25_000));
  expect((await readWish()).deploy).toBe("ada-1");
  await putReport({ outcome: "serving", endedAt: "now" });
  await upping;
  expect(await readWish()).toMatchObject({ sha256: three, way: "ssh" });
  expect(await readObject(scenario, bucket, "desired-release.json")).toMatchObject({ sha256: three });
});

test("an up that brings other settings brings its own release too, and new machines get that one", async () => {
  const three = (await readWish()).sha256;
  await runServed("rollback");
  expect(await readObject(scenario, bucket, "desired-release.json")).toEqual({ sha256: one, previous: three });
  await scenario.stack.setConfig("retentionHours", { value: "48" });
  await scenario.stack.up();
  expect(await readWish()).toMatchObject({ sha256: three, way: "ssh" });
  expect(await readObject(scenario, bucket, "desired-release.json")).toEqual({ sha256: three, previous: one });
});

test("without deployKey the key is dead", async () => {
  const outputs = await scenario.stack.outputs();
  const key = {
    accessKeyId: String(outputs["deployAccessKeyId"]?.value),
    secretAccessKey: String(outputs["deploySecretAccessKey"]?.value),
  };
  await scenario.stack.setConfig("deployKey", { value: "false" });
  const { outputs: after } = await scenario.stack.up();
  expect([after["deployAccessKeyId"], after["deploySecretAccessKey"]]).toEqual([undefined, undefined]);
  const ci = scenario.account.openAs(key);
  const read = () =>
    ci.send(new GetObjectCommand({ Bucket: bucket, Key: "wanted-release.json" })).then(
      () => null,
      () => true,
    );
  await waitFor("the key to be refused", async () => ((await read()) === true ? true : null), {
    timeoutMs: 20_000,
    everyMs: 200,
  });
});
