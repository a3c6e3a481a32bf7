import {
  AbortMultipartUploadCommand,
  CopyObjectCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteBucketCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectVersionsCommand,
  ListObjectsV2Command,
  PutBucketPolicyCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
  type S3Client,
  S3ServiceException,
} from "@aws-sdk/client-s3";
import { afterAll, beforeAll, expect, test } from "vitest";

import { edgePolicy, machinePolicy, tlsOnlyPolicy, userPolicyLimit } from "../../infra/policies/access-policy.ts";
import { type SeaweedStore, startSeaweedStore } from "../../scripts/local/seaweed-store.ts";
import { openCloudStore } from "../../scripts/store/open-client.ts";
import { probeStore } from "../../scripts/store/probe-store.ts";
import { makeBucket, makeLimitedKey, openS3 } from "./limited-key.ts";

const Bucket = "boats";
const trusted = [
  "lifeboat.json",
  "desired-release.json",
  "releases/a.tar.gz",
  // What somebody who lost everything else would believe.
  "recovery-card.txt",
  "recovery.json",
];
const certificates = "tls/certificates.json";
const readable = [
  ...trusted,
  "wanted-release.json",
  "head.json",
  "epochs/1/0000/a.ltx",
  "reports/deploys/1.json",
  "files/a",
];
const everyKey = [...readable, certificates];

let store: SeaweedStore;
let owner: S3Client;
let machine: S3Client;
let edge: S3Client;

beforeAll(async () => {
  store = await startSeaweedStore({ iamApi: true });
  await makeBucket(store.access, Bucket);
  await makeBucket(store.access, "strangers");
  owner = openS3(store.access, store.access);
  machine = openS3(store.access, await makeLimitedKey(store.access, "machine", machinePolicy(Bucket)));
  edge = openS3(store.access, await makeLimitedKey(store.access, "edge", edgePolicy(Bucket)));
  for (const Key of everyKey) await owner.send(new PutObjectCommand({ Bucket, Key, Body: "x" }));
  await owner.send(new PutObjectCommand({ Bucket: "strangers", Key: "epochs/secret", Body: "x" }));
});

afterAll(async () => {
  await store[Symbol.asyncDispose]();
});

async function isRefused(call: Promise<unknown>): Promise<boolean> {
  try {
    await call;
    return false;
  } catch (error) {
    if (error instanceof S3ServiceException && error.$metadata.httpStatusCode === 403) return true;
    throw error;
  }
}

const put = (client: S3Client, Key: string) => client.send(new PutObjectCommand({ Bucket, Key, Body: "x" }));
const get = (client: S3Client, Key: string) => client.send(new GetObjectCommand({ Bucket, Key }));
const remove = (client: S3Client, Key: string) => client.send(new DeleteObjectCommand({ Bucket, Key }));

test("the machine lists everything in its bucket, and reads all but the certificates", async () => {
  const { Contents = [] } = await machine.send(new ListObjectsV2Command({ Bucket }));
  expect(new Set(Contents.map(({ Key }) => Key))).toEqual(new Set(everyKey));
  for (const Key of readable) await machine.send(new GetObjectCommand({ Bucket, Key }));
  await machine.send(new ListObjectsV2Command({ Bucket, Prefix: "epochs/", Delimiter: "/" }));
});

test("a trial of the store gets by with the machine's rights, but for its own removal, and nothing under epochs/ stays", async () => {
  const probed = "probed";
  await makeBucket(store.access, probed);
  const key = await makeLimitedKey(store.access, "trial", machinePolicy(probed));
  const place = {
    LIFEBOAT_BUCKET: probed,
    LIFEBOAT_REGION: store.access.region,
    LIFEBOAT_ENDPOINT: store.access.endpoint,
    LIFEBOAT_PATH_STYLE: "true",
    LIFEBOAT_ACCESS_KEY_ID: key.accessKeyId,
  };
  using trial = await openCloudStore(place, async () => key.secretAccessKey);
  expect(await probeStore(trial, place)).toEqual([expect.stringContaining("the key may not delete reports/")]);
  const { Contents = [], CommonPrefixes = [] } = await owner.send(
    new ListObjectsV2Command({ Bucket: probed, Delimiter: "/" }),
  );
  expect([Contents, CommonPrefixes]).toEqual([[], [{ Prefix: "reports/" }]]);
  const { Uploads = [] } = await owner.send(new ListMultipartUploadsCommand({ Bucket: probed }));
  expect(Uploads).toEqual([]);
});

test("the machine writes its epochs, head, its reports and uploaded files", async () => {
  for (const Key of ["epochs/1/0000/b.ltx", "head.json", "reports/boot.json", "files/one"]) await put(machine, Key);
  const { UploadId } = await machine.send(new CreateMultipartUploadCommand({ Bucket, Key: "epochs/1/0009/big.ltx" }));
  await machine.send(new AbortMultipartUploadCommand({ Bucket, Key: "epochs/1/0009/big.ltx", UploadId }));
});

test.each([...trusted, "releases/planted.tar.gz", "epochs", "files", "elsewhere"])(
  "a stolen machine cannot write %s",
  async (Key) => {
    expect(await isRefused(put(machine, Key))).toBe(true);
  },
);

test.each([...trusted, "head.json", "reports/boot.json", "files/one"])(
  "a stolen machine cannot delete %s",
  async (Key) => {
    expect(await isRefused(remove(machine, Key))).toBe(true);
  },
);

test("the certificates are the edge's alone, and the edge reaches nothing else", async () => {
  const list = (Prefix?: string) => edge.send(new ListObjectsV2Command({ Bucket, ...(Prefix && { Prefix }) }));
  await get(edge, certificates);
  await put(edge, certificates);
  const { Contents = [] } = await list("tls/");
  expect(Contents.map(({ Key }) => Key)).toEqual([certificates]);
  const refused = [
    get(machine, certificates),
    put(machine, certificates),
    remove(machine, certificates),
    remove(edge, certificates),
    list(),
    list("epochs/"),
    ...readable.flatMap((Key) => [get(edge, Key), put(edge, Key), remove(edge, Key)]),
  ];
  expect(await Promise.all(refused.map(isRefused))).toEqual(refused.map(() => true));
});

test("a stolen machine cannot erase history: what it deletes is only hidden", async () => {
  const Key = "epochs/1/0000/history.ltx";
  await put(machine, Key);
  const { Versions = [] } = await owner.send(new ListObjectVersionsCommand({ Bucket, Prefix: Key }));
  const [VersionId] = Versions.flatMap((version) => version.VersionId ?? []);
  expect(await isRefused(machine.send(new DeleteObjectCommand({ Bucket, Key, VersionId })))).toBe(true);
  await remove(machine, Key);
  const kept = await owner.send(new GetObjectCommand({ Bucket, Key, VersionId }));
  expect(await kept.Body?.transformToString()).toBe("x");
});

test("one batch deletes what is the machine's and nothing else", async () => {
  await put(machine, "epochs/1/0000/c.ltx");
  const Objects = [{ Key: "epochs/1/0000/c.ltx" }, { Key: "releases/a.tar.gz" }];
  const { Deleted = [], Errors = [] } = await machine.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects } }));
  expect([Deleted.map(({ Key }) => Key), Errors.map(({ Key }) => Key)]).toEqual([
    ["epochs/1/0000/c.ltx"],
    ["releases/a.tar.gz"],
  ]);
});

test("a stolen machine can neither open, unversion, delete nor make buckets, nor reach another one", async () => {
  const Policy = JSON.stringify(tlsOnlyPolicy(Bucket));
  const suspended = { Status: "Suspended" } as const;
  const calls = [
    machine.send(new PutBucketPolicyCommand({ Bucket, Policy })),
    machine.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration: suspended })),
    machine.send(new DeleteBucketCommand({ Bucket })),
    machine.send(new CreateBucketCommand({ Bucket: "mine" })),
    machine.send(new ListObjectsV2Command({ Bucket: "strangers" })),
    machine.send(new GetObjectCommand({ Bucket: "strangers", Key: "epochs/secret" })),
    machine.send(new CopyObjectCommand({ Bucket, Key: "epochs/stolen", CopySource: "strangers/epochs/secret" })),
  ];
  expect(await Promise.all(calls.map(isRefused))).toEqual(calls.map(() => true));
});

test("a key that was stolen from the machine works from the machine's own address and from the administrators', and from nowhere else", async () => {
  const sources = ["127.0.0.2/32", "127.0.1.0/24", "2001:db8::/32"];
  const key = await makeLimitedKey(store.access, "placed", machinePolicy(Bucket, sources));
  const allowed = async (localAddress: string) => {
    const client = openS3(store.access, key, localAddress);
    const calls = [
      put(client, "epochs/1/0000/placed.ltx"),
      client.send(new GetObjectCommand({ Bucket, Key: "head.json" })),
      client.send(new ListObjectsV2Command({ Bucket })),
      remove(client, "epochs/1/0000/placed.ltx"),
    ];
    return (await Promise.all(calls.map(isRefused))).map((refused) => !refused);
  };
  expect(await allowed("127.0.0.2")).toEqual([true, true, true, true]);
  expect(await allowed("127.0.1.77")).toEqual([true, true, true, true]);
  for (const elsewhere of ["127.0.0.1", "127.0.0.3", "127.0.2.1"])
    expect(await allowed(elsewhere), elsewhere).toEqual([false, false, false, false]);
});

test.each([
  ["lifeboat-production-123456789012", 10],
  ["b".repeat(63), 7],
])("AWS takes the policies of bucket %s for %i networks", (bucket, count) => {
  const networks = Array.from({ length: count }, () => "255.255.255.255/32");
  for (const policy of [machinePolicy, edgePolicy])
    expect(JSON.stringify(policy(bucket, networks)).length).toBeLessThanOrEqual(userPolicyLimit);
});
