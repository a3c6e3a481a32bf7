import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { expect, test } from "vitest";

import { neededByProvider, operatorPolicy } from "../engine/aws/rights.ts";

const scripts = join(import.meta.dirname, "../../scripts");
const granted = operatorPolicy.Statement.flatMap(({ Action }) => Action);

/** What AWS demands for the calls of the verbs (Service Authorization Reference, "Actions, resources, and condition keys for Amazon S3"). */
const neededFor: Readonly<Record<string, readonly string[]>> = {
  AbortMultipartUploadCommand: ["s3:AbortMultipartUpload"],
  CompleteMultipartUploadCommand: ["s3:PutObject"],
  CreateMultipartUploadCommand: ["s3:PutObject"],
  DeleteBucketCommand: ["s3:DeleteBucket"],
  DeleteObjectCommand: ["s3:DeleteObject"],
  DeleteObjectsCommand: ["s3:DeleteObject", "s3:DeleteObjectVersion"],
  GetObjectCommand: ["s3:GetObject"],
  HeadBucketCommand: ["s3:ListBucket"],
  ListMultipartUploadsCommand: ["s3:ListBucketMultipartUploads"],
  ListObjectVersionsCommand: ["s3:ListBucketVersions"],
  ListObjectsV2Command: ["s3:ListBucket"],
  PutBucketLifecycleConfigurationCommand: ["s3:PutLifecycleConfiguration"],
  PutBucketVersioningCommand: ["s3:PutBucketVersioning"],
  PutObjectCommand: ["s3:PutObject"],
  UploadPartCommand: ["s3:PutObject"],
};
/** Only read, and only of our own users: a later provider that asks for one of them must not stop half-way through a `down`. */
const spare = ["iam:ListUserTags", "iam:ListUserPolicies", "iam:ListAttachedUserPolicies"];

function listCommands(): string[] {
  const files = ["deploy", "down", "engine", "remote", "ssh", "steps", "store", "up"].flatMap((folder) =>
    readdirSync(join(scripts, folder)).map((name) => join(scripts, folder, name)),
  );
  const sources = files.map((file) => readFileSync(file, "utf8"));
  const imports = sources.flatMap((source) => /\{([^}]*)\} from "@aws-sdk\/client-s3"/.exec(source)?.[1] ?? []);
  return [...new Set(imports.join(",").match(/\b\w+Command\b/g))];
}

// SeaweedFS knows a right to list and one to write, and none in between: what the verbs call is held against the policy here.
test("whoever runs the verbs may do every call that they make", () => {
  const commands = listCommands();
  expect(commands).toContain("ListMultipartUploadsCommand");
  const needed = commands.flatMap((command) => neededFor[command] ?? [`nobody knows what ${command} needs`]);
  expect(needed.filter((action) => !granted.includes(action))).toEqual([]);
});

test("whoever runs the verbs may do nothing that neither they nor the provider do", () => {
  const needed = new Set([...Object.values(neededFor).flat(), ...neededByProvider(), ...spare]);
  expect(granted.filter((action) => !needed.has(action))).toEqual([]);
});
