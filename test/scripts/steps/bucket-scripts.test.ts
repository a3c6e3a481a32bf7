import { GetObjectCommand, ListObjectVersionsCommand, PutObjectCommand } from "@aws-sdk/client-s3";
import { afterAll, beforeAll, expect, test } from "vitest";

import { openBucket } from "../../../app/replica/bucket.ts";
import { fetchSentinel } from "../../../app/replica/sentinel.ts";
import { openS3 } from "../../infra/limited-key.ts";
import { ScriptedStore } from "../store/scripted-store.ts";

const [first, second] = ["1".repeat(64), "2".repeat(64)];

let store: ScriptedStore;
beforeAll(async () => {
  store = await ScriptedStore.open();
});
afterAll(() => store[Symbol.asyncDispose]());

const writeDesired = (bucket: string, LIFEBOAT_RELEASE: string, LIFEBOAT_BUCKET_ID: string) =>
  store.run("write-desired-release.ts", bucket, { LIFEBOAT_RELEASE, LIFEBOAT_BUCKET_ID });

async function readObject(Bucket: string, Key: string): Promise<unknown> {
  const answer = await openS3(store.access, store.access).send(new GetObjectCommand({ Bucket, Key }));
  return JSON.parse((await answer.Body?.transformToString()) ?? "");
}

async function countVersions(Bucket: string, Prefix: string): Promise<number> {
  const { Versions = [] } = await openS3(store.access, store.access).send(
    new ListObjectVersionsCommand({ Bucket, Prefix }),
  );
  return Versions.length;
}
test("the sentinel is made once; a later up, or one with an empty state, adopts it and never rewrites it", async () => {
  const bucket = await store.newBucket();
  const made = await store.makeSentinel(bucket, "lifeboat/production");
  expect(made).toMatchObject({ code: 0, stderr: "" });
  const again = await store.makeSentinel(bucket, "lifeboat/production");
  expect(again.stdout).toBe(made.stdout);
  expect(await countVersions(bucket, "lifeboat.json")).toBe(1);
  const machine = openBucket({ ...store.access, bucket });
  expect((await fetchSentinel(machine)).bucketId).toBe(made.stdout);
});

test("two that make it at the same time agree on one id", async () => {
  const bucket = await store.newBucket();
  const runs = await Promise.all([1, 2, 3, 4].map(async () => store.makeSentinel(bucket, "lifeboat/production")));
  expect(new Set(runs.map(({ stdout }) => stdout)).size).toBe(1);
  expect(runs.map(({ code }) => code)).toEqual([0, 0, 0, 0]);
});

test("staging cannot use production's bucket, unless it names its id", async () => {
  const bucket = await store.newBucket();
  const { stdout: id } = await store.makeSentinel(bucket, "lifeboat/production");
  const refused = await store.makeSentinel(bucket, "lifeboat/staging");
  expect(refused.code).not.toBe(0);
  expect(refused.stderr).toContain("belongs to stack lifeboat/production");
  expect(refused.stderr).toContain(`pulumi config set bucketId ${id}`);
  expect(await store.makeSentinel(bucket, "lifeboat/staging", id)).toMatchObject({ code: 0, stdout: id });
});

test.each([
  ["named", { LIFEBOAT_BUCKET_ID: "another-id" }],
  ["remembered", { PULUMI_COMMAND_STDOUT: "another-id\n" }],
])("another id than the %s one is refused, and so is a bucket without one", async (_what, known) => {
  const bucket = await store.newBucket();
  const owner = { LIFEBOAT_OWNER: "lifeboat/production" };
  const empty = await store.run("make-sentinel.ts", bucket, { ...owner, ...known });
  expect(empty.stderr).toContain("has no lifeboat.json, but");
  expect([empty.code, await countVersions(bucket, "lifeboat.json")]).toEqual([1, 0]);
  await store.run("make-sentinel.ts", bucket, owner);
  const other = await store.run("make-sentinel.ts", bucket, { ...owner, ...known });
  expect([other.code, other.stdout]).toEqual([1, ""]);
  expect(other.stderr).toContain("another bucket");
});

test.each(["head.json", "epochs/0001-00000000/x", "x.txt"])(
  "a bucket with %s but no sentinel gets none",
  async (Key) => {
    const bucket = await store.newBucket();
    await openS3(store.access, store.access).send(new PutObjectCommand({ Bucket: bucket, Key, Body: "{}" }));
    const refused = await store.makeSentinel(bucket, "lifeboat/production");
    expect(refused.stderr).toContain(`yet it holds ${Key}`);
    expect([refused.code, await countVersions(bucket, "lifeboat.json")]).toEqual([1, 0]);
  },
);

test("an object that is no sentinel is not taken for one, and stays as it is", async () => {
  const bucket = await store.newBucket();
  const page = new PutObjectCommand({ Bucket: bucket, Key: "lifeboat.json", Body: "<html>welcome</html>" });
  await openS3(store.access, store.access).send(page);
  expect((await store.makeSentinel(bucket, "lifeboat/production")).code).toBe(1);
  expect(await countVersions(bucket, "lifeboat.json")).toBe(1);
});

test("the desired release remembers the one before it, and the same one is not written again", async () => {
  const bucket = await store.newBucket();
  const { stdout: id } = await store.makeSentinel(bucket, "lifeboat/production");
  expect(await writeDesired(bucket, first, id)).toMatchObject({ code: 0, stdout: first });
  expect(await readObject(bucket, "desired-release.json")).toEqual({ sha256: first, previous: null });
  await writeDesired(bucket, second, id);
  await writeDesired(bucket, second, id);
  expect(await readObject(bucket, "desired-release.json")).toEqual({ sha256: second, previous: first });
  expect(await countVersions(bucket, "desired-release.json")).toBe(2);
});

test("nothing is desired of the machines of another bucket", async () => {
  const bucket = await store.newBucket();
  await store.makeSentinel(bucket, "lifeboat/production");
  const refused = await writeDesired(bucket, first, "of-another-bucket");
  expect([refused.code, await countVersions(bucket, "desired-release.json")]).toEqual([1, 0]);
});

test("a wrong secret is refused, and the secret is not in what is said about it", async () => {
  const bucket = await store.newBucket();
  const refused = await store.run("make-sentinel.ts", bucket, {
    LIFEBOAT_OWNER: "lifeboat/test",
    LIFEBOAT_ACCESS_KEY_ID: "unknown",
  });
  expect(refused.code).toBe(1);
  expect(refused.stderr + refused.stdout).not.toContain(store.access.secretAccessKey);
});
