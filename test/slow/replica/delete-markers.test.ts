import {
  DeleteObjectsCommand,
  ListObjectVersionsCommand,
  type ObjectIdentifier,
  PutObjectCommand,
  type S3Client,
} from "@aws-sdk/client-s3";
import { expect, test } from "vitest";

import { openS3 } from "../../infra/limited-key.ts";
import { World } from "../../replica/world.ts";

// Another count, another server: LIFEBOAT_DELETE_MARKERS=200000 LIFEBOAT_STORE=http://127.0.0.1:7070, keys in LITESTREAM_… (docs/decisions/0022).
const {
  LIFEBOAT_DELETE_MARKERS: count = "2500",
  LIFEBOAT_STORE: endpoint,
  LITESTREAM_ACCESS_KEY_ID: accessKeyId = "",
  LITESTREAM_SECRET_ACCESS_KEY: secretAccessKey = "",
} = process.env;
const markers = Number(count);
const batch = 500;
const given = {
  access: { endpoint: endpoint ?? "", region: "us-east-1", pathStyle: true, accessKeyId, secretAccessKey },
  [Symbol.asyncDispose]: async () => undefined,
};

test(
  `a machine boots from a versioned bucket with ${count} delete markers before the first live key`,
  { timeout: 60_000 + markers * 30 },
  async () => {
    await using world = await World.open(endpoint === undefined ? undefined : given);
    const site = await world.makeSite();
    await world.newMachine(site).liveAndCrash({ replicated: ["one", "two"] });
    const prefix = `epochs/${(await site.head()).epoch}/0000/`;
    using owner = openOwner(world);
    const place = { client: owner, Bucket: site.config.bucket, prefix };
    const batches = Array.from({ length: Math.ceil(markers / batch) }, (_, number) => number * batch);
    await Promise.all(Array.from({ length: 8 }, () => workOff(batches, place)));
    const { DeleteMarkers = [] } = await owner.send(
      new ListObjectVersionsCommand({ Bucket: place.Bucket, Prefix: prefix, MaxKeys: 100 }),
    );
    expect(DeleteMarkers.length).toBeGreaterThan(0);
    const next = world.newMachine(site);
    const report = await next.boot();
    expect(report).toMatchObject({ outcome: "claimed", row: 11, content: "restored" });
    expect(next.texts()).toEqual(["one", "two"]);
    const long = report.steps.filter(({ durationMs }) => durationMs > 1_000);
    if (long.length > 0) console.log(`${count} delete markers: ${JSON.stringify(long)}`);
  },
);

function openOwner(world: World): S3Client & Disposable {
  const client = openS3(world.store.access, world.store.access);
  return Object.assign(client, { [Symbol.dispose]: () => client.destroy() });
}

type Place = { client: S3Client; Bucket: string; prefix: string };

/** Uploads and deletes as Litestream does with its level 0, under names that sort before its own. */
async function workOff(batches: number[], { client, Bucket, prefix }: Place): Promise<void> {
  for (let first = batches.pop(); first !== undefined; first = batches.pop()) {
    const start = first;
    const Objects = Array.from({ length: Math.min(batch, markers - start) }, (_, index): ObjectIdentifier => ({
      Key: `${prefix}0000000000000000-${(start + index).toString(16).padStart(16, "0")}.ltx`,
    }));
    // oxlint-disable-next-line no-await-in-loop -- eight such loops are the concurrency
    for (const { Key } of Objects) await client.send(new PutObjectCommand({ Bucket, Key, Body: "deleted soon" }));
    // oxlint-disable-next-line no-await-in-loop -- likewise
    await client.send(new DeleteObjectsCommand({ Bucket, Delete: { Quiet: true, Objects } }));
  }
}
