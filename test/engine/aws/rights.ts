import { readFileSync } from "node:fs";
import { join } from "node:path";

import { type Static, Type } from "typebox";
import { Value } from "typebox/value";

import { optionalTextAt, type Properties } from "../provider/properties.ts";
import type { Resource } from "../provider/resource.ts";

const Statement = Type.Object({
  Effect: Type.Literal("Allow"),
  Action: Type.Array(Type.String()),
  Resource: Type.Array(Type.String()),
});
const PolicySchema = Type.Object({ Version: Type.Literal("2012-10-17"), Statement: Type.Array(Statement) });

/** The policy that docs/guide/cloud.md gives to whoever runs `up`. */
export const operatorPolicy: Static<typeof PolicySchema> = Value.Parse(
  PolicySchema,
  JSON.parse(readFileSync(join(import.meta.dirname, "../../../docs/iam-policy.json"), "utf8")),
);

type Verb = "create" | "read" | "update" | "delete";
/** The IAM actions that the provider's calls need on the thing itself, and at its end on "*". */
type Rights = Readonly<Partial<Record<Verb, readonly string[]>> & { deleteAnywhere?: readonly string[] }>;

/**
 * A resource that the provider only touches with the rights of the operator's policy. Source: internal/service/{s3,iam}
 * of terraform-provider-aws.
 */
export function withRights(type: string, resource: Resource): Resource {
  const rights = rightsOf[type];
  if (rights === undefined) throw new Error(`the rights that a ${type} needs are not known here`);
  const demand = (verb: Verb, properties: Properties, id?: string) => {
    const arn = arnOf(type, properties, id);
    for (const action of rights[verb] ?? []) demandRight(action, arn);
    if (verb === "delete") for (const action of rights.deleteAnywhere ?? []) demandRight(action, "*");
  };
  const { read, update } = resource;
  return {
    ...resource,
    create: async (inputs) => {
      demand("create", inputs);
      demand("read", inputs);
      return resource.create(inputs);
    },
    ...(read !== undefined && {
      read: async (id, state) => {
        demand("read", state, id);
        return read(id, state);
      },
    }),
    ...(update !== undefined && {
      update: async (id, inputs, state) => {
        demand("update", inputs, id);
        demand("read", inputs, id);
        return update(id, inputs, state);
      },
    }),
    delete: async (id, state) => {
      demand("delete", state, id);
      return resource.delete(id, state);
    },
  };
}

// A bucket of another name is one at a given store here, whose key may do everything and has no IAM.
function demandRight(action: string, arn: string): void {
  if (arn.startsWith("arn:aws:s3:::") && !arn.startsWith("arn:aws:s3:::lifeboat-")) return;
  const isAllowed = operatorPolicy.Statement.some(
    ({ Action, Resource }) => Action.includes(action) && Resource.some((pattern) => matches(pattern, arn)),
  );
  if (!isAllowed) throw new Error(`AccessDenied: whoever runs this is not authorized to perform ${action} on ${arn}`);
}

/** IAM's patterns, of which `*` alone is used. */
function matches(pattern: string, arn: string): boolean {
  const parts = pattern.split("*").map((part) => part.replaceAll(/[.\\+?^${}()|[\]]/g, "\\$&"));
  return new RegExp(`^${parts.join(".*")}$`).test(arn);
}

function arnOf(type: string, properties: Properties, id = ""): string {
  const text = (name: string) => optionalTextAt(properties, name);
  if (type.startsWith("aws:iam/user:")) {
    return `arn:aws:iam::123456789012:user${text("path") ?? "/"}${text("name") ?? id}`;
  }
  // Key and policy name only the user. That all users here lie under the one path is what the resource before has shown.
  if (type.startsWith("aws:iam/")) return `arn:aws:iam::123456789012:user/lifeboat/${text("user") ?? id}`;
  const bucket = `arn:aws:s3:::${text("bucket") ?? id}`;
  return type.startsWith("aws:s3/bucketObject") ? `${bucket}/${text("key") ?? id}` : bucket;
}

const setting = (name: string): Rights => ({
  create: [`s3:Put${name}`],
  read: [`s3:Get${name}`],
  update: [`s3:Put${name}`],
  delete: [`s3:Put${name}`],
});
const object: Rights = {
  create: ["s3:PutObject"],
  read: ["s3:GetObject", "s3:GetObjectTagging"],
  update: ["s3:PutObject"],
  delete: ["s3:DeleteObject", "s3:DeleteObjectVersion"],
};

const rightsOf: Readonly<Record<string, Rights>> = {
  "aws:s3/bucket:Bucket": {
    create: ["s3:CreateBucket"],
    read: [
      "s3:ListBucket",
      "s3:GetBucketLocation",
      "s3:GetBucketPolicy",
      "s3:GetBucketAcl",
      "s3:GetBucketCORS",
      "s3:GetBucketWebsite",
      "s3:GetBucketVersioning",
      "s3:GetAccelerateConfiguration",
      "s3:GetBucketLogging",
      "s3:GetBucketRequestPayment",
      "s3:GetLifecycleConfiguration",
      "s3:GetReplicationConfiguration",
      "s3:GetEncryptionConfiguration",
      "s3:GetBucketObjectLockConfiguration",
      "s3:GetBucketTagging",
      // Newer releases ask for the tags by another API first.
      "s3:ListTagsForResource",
    ],
    delete: ["s3:DeleteBucket"],
  },
  "aws:s3/bucketVersioning:BucketVersioning": setting("BucketVersioning"),
  "aws:s3/bucketPolicy:BucketPolicy": setting("BucketPolicy"),
  "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration": setting("LifecycleConfiguration"),
  "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration":
    setting("EncryptionConfiguration"),
  "aws:s3/bucketOwnershipControls:BucketOwnershipControls": setting("BucketOwnershipControls"),
  "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock": setting("BucketPublicAccessBlock"),
  "aws:s3/bucketObjectv2:BucketObjectv2": object,
  "aws:s3/bucketObject:BucketObject": object,
  "aws:iam/user:User": {
    create: ["iam:CreateUser", "iam:TagUser"],
    read: ["iam:GetUser"],
    update: ["iam:TagUser"],
    // With forceDestroy it looks for everything that AWS lets stand in the way.
    delete: [
      "iam:ListGroupsForUser",
      "iam:ListAccessKeys",
      "iam:DeleteAccessKey",
      "iam:ListSSHPublicKeys",
      "iam:ListMFADevices",
      "iam:DeleteLoginProfile",
      "iam:ListSigningCertificates",
      "iam:ListServiceSpecificCredentials",
      "iam:DeleteUser",
    ],
    deleteAnywhere: ["iam:ListVirtualMFADevices"],
  },
  "aws:iam/userPolicy:UserPolicy": {
    create: ["iam:PutUserPolicy"],
    read: ["iam:GetUserPolicy"],
    update: ["iam:PutUserPolicy"],
    delete: ["iam:DeleteUserPolicy"],
  },
  "aws:iam/accessKey:AccessKey": {
    create: ["iam:CreateAccessKey"],
    read: ["iam:ListAccessKeys"],
    delete: ["iam:DeleteAccessKey"],
  },
};

/** Every action that the provider may need. */
export function neededByProvider(): string[] {
  return Object.values(rightsOf).flatMap((rights) => Object.values(rights).flat());
}
