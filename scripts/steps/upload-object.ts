import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";

import { PutObjectCommand } from "@aws-sdk/client-s3";

import { toBucketError } from "../../app/replica/bucket-error.ts";
import { openUploadStore, requireVariable } from "../store/open-client.ts";
import { assertBucketId } from "../store/sentinel.ts";

// Run by `pulumi up` (infra/components/bucket-object.ts) at a given store. Nothing deletes the object later. Prints the
// key.
const environment = process.env;
const Key = requireVariable(environment, "LIFEBOAT_KEY");
const ContentType = requireVariable(environment, "LIFEBOAT_CONTENT_TYPE");
const Body = environment["LIFEBOAT_TEXT"] ?? (await readArchive());
using store = await openUploadStore(environment);
const { client, bucket: Bucket } = store;
await assertBucketId(store, requireVariable(environment, "LIFEBOAT_BUCKET_ID"));
try {
  await client.send(new PutObjectCommand({ Bucket, Key, Body, ContentType }));
} catch (error) {
  throw toBucketError(error, `PUT ${Key} (bucket ${Bucket})`);
}
console.log(Key);

/**
 * Reads the archive. Throws unless it is the one that was built: a machine would refuse it, but only after it was
 * bought.
 */
async function readArchive(): Promise<Buffer> {
  const path = requireVariable(environment, "LIFEBOAT_FILE");
  const expected = requireVariable(environment, "LIFEBOAT_SHA256");
  const bytes = await readFile(path);
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  if (sha256 === expected) return bytes;
  throw new Error(`${path} has SHA-256 ${sha256}, but ${expected} was built; run npm run build`);
}
