import {
  CreateBucketCommand,
  GetBucketLifecycleConfigurationCommand,
  GetBucketVersioningCommand,
  PutObjectCommand,
} from "@aws-sdk/client-s3";
import type { EngineEvent } from "@pulumi/pulumi/automation/index.js";
import { expect, test } from "vitest";

import { findCard, readPlan } from "../../scripts/engine/plan.ts";
import { type Decide, StoreProxy } from "../replica/store-proxy.ts";
import { describeGivenStore } from "./project/given-store.ts";
import {
  failureOf,
  listKeys,
  onlyServer,
  openScenario,
  readObject,
  readText,
  type Scenario,
  settingOf,
} from "./project/open-scenario.ts";

const Bucket = "boats";
const notImplemented = {
  status: 501,
  body: "<Error><Code>NotImplemented</Code><Message>A header you provided</Message></Error>",
};

/** A store that is SeaweedFS but for what is decided. Our scripts and the machine go through it. */
async function openProxy({ account }: Scenario, decide: Decide): Promise<StoreProxy> {
  const plain = await account.plainS3.config.endpoint?.();
  return StoreProxy.start(`http://${plain?.hostname}:${plain?.port}`, decide);
}

test("at a given store the bucket is made, used with the given key, kept, and adopted again", async () => {
  await using scenario = await openScenario();
  await scenario.stack.setAllConfig(describeGivenStore(scenario, { bucket: Bucket, createBucket: true }));
  await scenario.stack.up();
  expect((await scenario.account.s3.send(new GetBucketVersioningCommand({ Bucket }))).Status).toBe("Enabled");
  const { Rules = [] } = await scenario.account.s3.send(new GetBucketLifecycleConfigurationCommand({ Bucket }));
  expect(Rules.map(({ NoncurrentVersionExpiration: old }) => old?.NoncurrentDays)).toEqual([3, 30]);
  expect(scenario.calls.filter(({ type }) => type.startsWith("aws:iam"))).toEqual([]);
  const server = onlyServer(scenario);
  expect(settingOf(server, "LITESTREAM_ACCESS_KEY_ID")).toBe(scenario.account.owner.accessKeyId);
  expect(scenario.machines.running.has(server.id)).toBe(true);
  const recovery = await readObject(scenario, Bucket, "recovery.json");
  expect(recovery).toMatchObject({ config: { "lifeboat:store": "s3", "lifeboat:bucket": Bucket } });
  expect(JSON.stringify(recovery)).not.toContain(scenario.account.owner.secretAccessKey);
  const keys = await listKeys(scenario, Bucket);
  const events: EngineEvent[] = [];
  await scenario.stack.previewDestroy({ onEvent: (event) => void events.push(event) });
  expect(findCard(readPlan(events))).toBe(await readText(scenario, Bucket, "recovery-card.txt"));
  await scenario.stack.destroy();
  expect(await listKeys(scenario, Bucket)).toEqual(expect.arrayContaining(keys));
  await scenario.stack.up();
  expect(onlyServer(scenario).volumes).toEqual(server.volumes);
});

test("an empty bucket that was made by hand at a store without object tags gets our objects, by our own hand, and none of its settings is touched", async () => {
  await using scenario = await openScenario();
  await scenario.account.s3.send(new CreateBucketCommand({ Bucket }));
  await using proxy = await openProxy(scenario, ({ path }) => (path.includes("tagging") ? notImplemented : "pass"));
  await scenario.stack.setAllConfig(describeGivenStore(scenario, { bucket: Bucket, createBucket: false }));
  await scenario.stack.setAllConfig({ endpoint: { value: proxy.endpoint } });
  await scenario.stack.up();
  expect(scenario.calls.filter(({ type }) => type.startsWith("aws:"))).toEqual([]);
  expect(await listKeys(scenario, Bucket)).toEqual(expect.arrayContaining(["recovery-card.txt", "recovery.json"]));
  expect((await scenario.account.s3.send(new GetBucketVersioningCommand({ Bucket }))).Status).toBeUndefined();
  expect(await listKeys(scenario, Bucket)).toContain("lifeboat.json");
});

test("a bucket that is not empty is refused before any of its settings is changed", async () => {
  const theirs = "lifeboat-theirs";
  await using scenario = await openScenario({ bucket: { value: theirs } });
  await scenario.account.s3.send(new CreateBucketCommand({ Bucket: theirs }));
  await scenario.account.s3.send(new PutObjectCommand({ Bucket: theirs, Key: "theirs", Body: "x" }));
  expect(await failureOf(scenario.stack.up())).toContain("yet it holds theirs");
  expect((await scenario.account.s3.send(new GetBucketVersioningCommand({ Bucket: theirs }))).Status).toBeUndefined();
  expect(scenario.calls.filter(({ type }) => type.startsWith("aws:s3"))).toEqual([]);
  expect(await listKeys(scenario, theirs)).toEqual(["theirs"]);
});

test("a bucket that has become another one under the same name is refused by the id that the stack remembers", async () => {
  await using scenario = await openScenario();
  await scenario.stack.setAllConfig(describeGivenStore(scenario, { bucket: Bucket, createBucket: true }));
  await scenario.stack.up();
  const Body = JSON.stringify({ format: 1, bucketId: "another-bucket" });
  await scenario.account.s3.send(new PutObjectCommand({ Bucket, Key: "lifeboat.json", Body }));
  // The same place, written differently: the script runs once more.
  const endpoint = { value: `${scenario.account.environment["AWS_ENDPOINT_URL"]}/` };
  await scenario.stack.setAllConfig({ endpoint });
  expect(await failureOf(scenario.stack.up())).toContain("has id another-bucket, but this stack remembers");
});

test("a store that answers NotImplemented to conditional writes is told in a whole sentence, before a machine or a volume is bought", async () => {
  await using scenario = await openScenario();
  await scenario.account.s3.send(new CreateBucketCommand({ Bucket }));
  await using proxy = await openProxy(scenario, ({ method, headers }) =>
    method === "PUT" && (headers["if-match"] ?? headers["if-none-match"]) !== undefined ? notImplemented : "pass",
  );
  await scenario.stack.setAllConfig(describeGivenStore(scenario, { bucket: Bucket, createBucket: false }));
  await scenario.stack.setAllConfig({ endpoint: { value: proxy.endpoint } });
  expect(await failureOf(scenario.stack.up())).toContain(
    "this store refuses conditional writes (PUT with If-Match or If-None-Match), without which no claim can be won",
  );
  const { servers, volumes } = scenario.hetzner.cloud;
  expect([servers.size, volumes.size]).toEqual([0, 0]);
});
