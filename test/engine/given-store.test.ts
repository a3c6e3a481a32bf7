import { CreateBucketCommand, ListBucketsCommand } from "@aws-sdk/client-s3";
import { afterAll, beforeAll, expect, test } from "vitest";

import { type Checkout, checkOut } from "./project/check-out.ts";
import { describeGivenStore } from "./project/given-store.ts";
import { listKeys, onlyServer, openScenario, readText, type Scenario } from "./project/open-scenario.ts";
import { runVerb } from "./project/run-verb.ts";

// A stack on a bucket that somebody else made at a store without IAM.
const bucket = "given-bucket";
let scenario: Scenario;
let checkout: Checkout;
let endpoint: string;

beforeAll(async () => {
  scenario = await openScenario();
  checkout = scenario.checkout;
  endpoint = scenario.account.environment["AWS_ENDPOINT_URL"] ?? "";
  await scenario.account.s3.send(new CreateBucketCommand({ Bucket: bucket }));
  await scenario.stack.setAllConfig(describeGivenStore(scenario, { bucket, createBucket: false }));
});
afterAll(() => scenario[Symbol.asyncDispose]());

function run(...words: ["up" | "down", ...string[]]) {
  const { accessKeyId, secretAccessKey } = scenario.account.owner;
  const environment = {
    HCLOUD_TOKEN: scenario.hetzner.token,
    HCLOUD_ENDPOINT: scenario.hetzner.endpoint,
    AWS_ACCESS_KEY_ID: accessKeyId,
    AWS_SECRET_ACCESS_KEY: secretAccessKey,
  };
  return runVerb({ project: scenario, checkout }, words, { environment });
}

test("an up takes the bucket as it is", async () => {
  const { code, stderr } = await run("up", "--yes");
  expect(stderr).toBe("");
  expect(code).toBe(0);
  expect(await listKeys(scenario, bucket)).toContain("recovery.json");
});

test("a lost laptop's stack comes back, the store's key taken from the environment", async () => {
  const old = onlyServer(scenario);
  const [, card = ""] =
    /^ {2}npm run up -- (--adopt .*)$/m.exec(await readText(scenario, bucket, "recovery-card.txt")) ?? [];
  expect(card).toContain(`--endpoint ${endpoint}`);
  await scenario.stack.workspace.removeStack("production", { force: true });
  checkout = await checkOut(scenario);
  const { code, stderr } = await run("up", ...card.split(" "), "--yes");
  expect(stderr).toBe("");
  expect(code).toBe(0);
  expect(onlyServer(scenario).volumes).toEqual(old.volumes);
  expect(onlyServer(scenario).id).not.toBe(old.id);
});

test("a deletion of what is down already empties the bucket and leaves it to whoever made it", async () => {
  expect(await run("down", "--yes")).toMatchObject({ code: 0, stderr: "" });
  const { code, stdout, stderr } = await run("down", "--delete-data", "--bucket-name", bucket, "--yes");
  expect(stderr).toBe("");
  expect(stdout).toContain(`bucket ${bucket} is kept, empty`);
  expect(code).toBe(0);
  expect(await listKeys(scenario, bucket)).toEqual([]);
  const { Buckets = [] } = await scenario.account.s3.send(new ListBucketsCommand());
  expect(Buckets.map(({ Name }) => Name)).toEqual([bucket]);
  expect(scenario.hetzner.cloud.volumes.size).toBe(0);
});
