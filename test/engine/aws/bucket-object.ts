import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { resolve } from "node:path";

import { GetObjectTaggingCommand, HeadObjectCommand, PutObjectCommand } from "@aws-sdk/client-s3";

import { optionalTextAt, type Properties, readProperties, textAt } from "../provider/properties.ts";
import type { Resource, Workplace } from "../provider/resource.ts";
import { type Account, orNull } from "./account.ts";
import { emptyBucket } from "./bucket.ts";

/** aws.s3.BucketObjectv2 (internal/service/s3/object.go): overwrites what is there, and deletes every version. */
export function bucketObjectResource(account: Account, workplace: Workplace): Resource {
  const { s3 } = account;
  const upload = async (inputs: Properties) => {
    const Bucket = textAt(inputs, "bucket");
    const Key = textAt(inputs, "key");
    const Body = readContent(inputs, workplace);
    const ContentType = optionalTextAt(inputs, "contentType") ?? "application/octet-stream";
    const Tagging = new URLSearchParams(readTags(inputs)).toString();
    const { VersionId } = await s3.send(new PutObjectCommand({ Bucket, Key, Body, ContentType, Tagging }));
    const etag = createHash("md5").update(Body).digest("hex");
    return { bucket: Bucket, key: Key, etag, versionId: VersionId ?? null, contentType: ContentType };
  };
  return {
    replaceOn: ["bucket", "key"],
    complain: (inputs) => {
      const sources = ["content", "contentBase64", "source"].filter((source) => source in inputs);
      return sources.length > 1 ? [{ property: "source", reason: `conflicts with ${sources.join(", ")}` }] : [];
    },
    create: async (inputs) => {
      const state = await upload(inputs);
      return { id: state.key, state };
    },
    read: async (id, state) => {
      const Bucket = optionalTextAt(state, "bucket") ?? id.split("/")[0] ?? "";
      const found = await orNull(s3.send(new HeadObjectCommand({ Bucket, Key: textAt(state, "key") })));
      if (found === null) return null;
      const { TagSet = [] } = await s3.send(new GetObjectTaggingCommand({ Bucket, Key: textAt(state, "key") }));
      const tags = Object.fromEntries(TagSet.map((tag) => [tag.Key ?? "", tag.Value ?? ""]));
      return { etag: (found.ETag ?? "").replaceAll('"', ""), tags };
    },
    // Optional and not computed in the provider's schema: a read writes what somebody has added.
    refreshedInputs: (state) => (Object.keys(readTags(state)).length === 0 ? {} : { tags: readTags(state) }),
    update: async (_id, inputs) => upload(inputs),
    delete: async (_id, state) => emptyBucket(account, textAt(state, "bucket"), textAt(state, "key")),
  };
}

function readTags(properties: Properties): Record<string, string> {
  const tags = readProperties(properties["tags"] ?? {});
  return Object.fromEntries(Object.keys(tags).map((name) => [name, textAt(tags, name)]));
}

/** `content`, `contentBase64`, or an asset in `source`: a path, or a text with Pulumi's mark for assets. */
function readContent(inputs: Properties, { directory }: Workplace): Buffer {
  const content = optionalTextAt(inputs, "content");
  if (content !== null) return Buffer.from(content);
  const base64 = optionalTextAt(inputs, "contentBase64");
  if (base64 !== null) return Buffer.from(base64, "base64");
  const path = optionalTextAt(inputs, "source.path");
  return path === null ? Buffer.from(textAt(inputs, "source.text")) : readFileSync(resolve(directory, path));
}
