import { PutObjectCommand } from "@aws-sdk/client-s3";

import { toBucketError } from "../../app/replica/bucket-error.ts";
import { readArchive } from "../deploy/upload-release.ts";
import { openUploadStore, requireVariable } from "../store/open-client.ts";
import { assertBucketId } from "../store/sentinel.ts";

// Run by `pulumi up` (infra/components/bucket-object.ts) at a given store. Nothing deletes the object later. Prints the
// key.
const environment = process.env;
const Key = requireVariable(environment, "LIFEBOAT_KEY");
const ContentType = requireVariable(environment, "LIFEBOAT_CONTENT_TYPE");
const Body =
  environment["LIFEBOAT_TEXT"] ??
  (await readArchive({
    path: requireVariable(environment, "LIFEBOAT_FILE"),
    sha256: requireVariable(environment, "LIFEBOAT_SHA256"),
  }));
using store = await openUploadStore(environment);
const { client, bucket: Bucket } = store;
await assertBucketId(store, requireVariable(environment, "LIFEBOAT_BUCKET_ID"));
try {
  await client.send(new PutObjectCommand({ Bucket, Key, Body, ContentType }));
} catch (error) {
  throw toBucketError(error, `PUT ${Key} (bucket ${Bucket})`);
}
console.log(Key);
