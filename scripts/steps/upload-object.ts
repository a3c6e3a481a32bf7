import { readArchive } from "../deploy/upload-release.ts";
import { openUploadStore, requireVariable } from "../store/open-client.ts";
import { assertBucketId } from "../store/sentinel.ts";
import { putObject } from "../store/store-object.ts";

// Run by `pulumi up` (infra/components/bucket-object.ts) at a given store. Nothing deletes the object later. Prints the
// key.
const environment = process.env;
const key = requireVariable(environment, "LIFEBOAT_KEY");
const contentType = requireVariable(environment, "LIFEBOAT_CONTENT_TYPE");
const body =
  environment["LIFEBOAT_TEXT"] ??
  (await readArchive({
    path: requireVariable(environment, "LIFEBOAT_FILE"),
    sha256: requireVariable(environment, "LIFEBOAT_SHA256"),
  }));
using store = await openUploadStore(environment);
await assertBucketId(store, requireVariable(environment, "LIFEBOAT_BUCKET_ID"));
await putObject(store, key, { body, contentType });
console.log(key);
