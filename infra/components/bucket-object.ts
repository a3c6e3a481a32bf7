import { dirname, relative } from "node:path";

import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";

import type { BuiltRelease } from "../../cloud-init/built-release.ts";
import { storeEnvironment, storeLogin } from "../survey/locate-store.ts";
import { printedLine, runScript } from "./node-command.ts";
import type { ReplicaBucket } from "./replica-bucket.ts";

export type BucketObjectArgs = {
  bucket: ReplicaBucket;
  key: string;
  contentType: string;
  /** A text without secrets, or a release that was built here. */
  body: { text: pulumi.Input<string> } | { release: BuiltRelease };
};

/** Puts an object into the bucket, where it stays when the stack goes. Its key is known once the object is there. */
export function putObject(
  name: string,
  args: BucketObjectArgs,
  options: pulumi.CustomResourceOptions,
): pulumi.Output<string> {
  const kept = { ...options, retainOnDelete: true };
  return args.bucket.store.keys === undefined ? putByProvider(name, args, kept) : putByScript(name, args, kept);
}

/** What a refresh finds at an object beside what was put there: a scanner's tags, the bucket's own retention. The next `up` would take it away. */
const notOfTheObject = [
  "tags",
  "tagsAll",
  "metadata",
  "cacheControl",
  "contentDisposition",
  "contentEncoding",
  "contentLanguage",
  "websiteRedirect",
  "objectLockLegalHoldStatus",
  "objectLockMode",
  "objectLockRetainUntilDate",
];

function putByProvider(
  name: string,
  { bucket: { bucket }, key, contentType, body }: BucketObjectArgs,
  options: pulumi.CustomResourceOptions,
): pulumi.Output<string> {
  const content =
    "text" in body ? { content: body.text } : { source: new pulumi.asset.FileAsset(fromProgram(body.release.path)) };
  return new aws.s3.BucketObjectv2(
    name,
    { bucket, key, ...content, contentType },
    { ...options, ignoreChanges: notOfTheObject },
  ).key;
}

// The provider's resource reads the tags of every object that it uploads, and R2, for one, has none.
function putByScript(
  name: string,
  { bucket: { store, bucketId }, key, contentType, body }: BucketObjectArgs,
  options: pulumi.CustomResourceOptions,
): pulumi.Output<string> {
  const content: Record<string, pulumi.Input<string>> = "text" in body
    ? { LIFEBOAT_TEXT: body.text }
    : { LIFEBOAT_FILE: fromProgram(body.release.path), LIFEBOAT_SHA256: body.release.sha256 };
  const place = { LIFEBOAT_BUCKET_ID: bucketId, LIFEBOAT_KEY: key, LIFEBOAT_CONTENT_TYPE: contentType };
  const upload = runScript(
    name,
    {
      script: "scripts/steps/upload-object.ts",
      environment: { ...storeEnvironment(store), ...place, ...content },
      ...storeLogin(store),
    },
    options,
  );
  return printedLine(upload);
}

/** From the program's folder, where engine and providers run: a path of this computer would be a change in every other clone. */
function fromProgram(path: string): string {
  return relative(dirname(import.meta.dirname), path);
}
