import type { PolicyResource, ResourceValidationPolicy } from "@pulumi/policy";
import { expect, test } from "vitest";

import { type UserDataInput, renderUserData } from "../../cloud-init/user-data.ts";
import {
  bucketPrivateAndVersioned,
  noCurrentObjectExpiry,
  noSecretInClear,
  noWorldOpenSsh,
  policies,
  volumeProtected,
} from "../../infra/policies.ts";

type Example = { type: string; name?: string; props: Record<string, unknown>; provider?: Record<string, unknown> };

const common = {
  urn: "urn:test",
  opts: {
    protect: false,
    ignoreChanges: [],
    aliases: [],
    customTimeouts: { createSeconds: 0, updateSeconds: 0, deleteSeconds: 0 },
    additionalSecretOutputs: [],
  },
};
const notAsked = () => {
  throw new Error("the policy was not expected to ask for this");
};

async function violationsOf(
  policy: ResourceValidationPolicy,
  { type, props, name = "it" }: Example,
): Promise<string[]> {
  const found: string[] = [];
  const args = {
    ...common,
    type,
    props,
    name,
    stackTags: new Map(),
    isType: notAsked,
    asType: notAsked,
    getConfig: notAsked,
    notApplicable: notAsked,
  };
  for (const validate of [policy.validateResource ?? []].flat()) await validate(args, (message) => found.push(message));
  return found;
}

async function stackViolationsOf(examples: Example[]): Promise<string[]> {
  const found: string[] = [];
  const resources = examples.map(({ type, props, name = "it", provider = {} }): PolicyResource => {
    const its = { type: "pulumi:providers:aws", name: "p", urn: "urn:p", props: provider };
    return {
      ...common,
      type,
      props,
      name,
      provider: its,
      dependencies: [],
      propertyDependencies: {},
      isType: notAsked,
      asType: notAsked,
    };
  });
  const args = { resources, stackTags: new Map(), getConfig: notAsked, notApplicable: notAsked };
  await bucketPrivateAndVersioned.validateStack(args, (message) => found.push(message));
  return found;
}

const firewall = (rule: object): Example => ({
  type: "hcloud:index/firewall:Firewall",
  props: { rules: [{ direction: "in", protocol: "tcp", port: "22", sourceIps: ["203.0.113.7/32"], ...rule }] },
});
const lifecycle = (rule: object): Example => ({
  type: "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration",
  props: { bucket: "b", rules: [{ id: "r", status: "Enabled", ...rule }] },
});
const server = (userData: string): Example => ({ type: "hcloud:index/server:Server", props: { userData } });
const file = (permissions: string, content: string) =>
  server(`#cloud-config\n${JSON.stringify({ write_files: [{ path: "/etc/app.env", permissions, content }] })}`);

test("every policy is mandatory and has a name of its own", () => {
  expect(new Set(policies.map(({ name }) => name)).size).toBe(policies.length);
  expect(policies.every(({ enforcementLevel }) => enforcementLevel === "mandatory")).toBe(true);
});

test.each([
  { sourceIps: ["0.0.0.0/0"] },
  { sourceIps: ["203.0.113.7/32", "::/0"] },
  { sourceIps: ["0.0.0.0/0"], port: "1-1024" },
  { sourceIps: ["0.0.0.0/0"], port: "any" },
])("SSH for the world is caught: %j", async (rule) => {
  expect(await violationsOf(noWorldOpenSsh, firewall(rule))).toHaveLength(1);
});

test.each([{}, { port: "443", sourceIps: ["0.0.0.0/0"] }, { port: "23-80", sourceIps: ["0.0.0.0/0"] }])(
  "an innocent firewall rule passes: %j",
  async (rule) => {
    expect(await violationsOf(noWorldOpenSsh, firewall(rule))).toEqual([]);
  },
);

test("a volume without delete protection is caught", async () => {
  const type = "hcloud:index/volume:Volume";
  expect(await violationsOf(volumeProtected, { type, props: { size: 10 } })).toHaveLength(1);
  expect(await violationsOf(volumeProtected, { type, props: { size: 10, deleteProtection: true } })).toEqual([]);
});

test.each([
  { expiration: { days: 30 } },
  { expiration: { date: "2027-01-01" } },
  { transitions: [{ days: 30, storageClass: "GLACIER" }] },
])("a rule for current objects is caught: %j", async (rule) => {
  expect(await violationsOf(noCurrentObjectExpiry, lifecycle(rule))).toHaveLength(1);
});

test("a rule for old versions, unfinished uploads and orphaned markers passes", async () => {
  const history = {
    noncurrentVersionExpiration: { noncurrentDays: 30 },
    abortIncompleteMultipartUpload: { daysAfterInitiation: 7 },
  };
  expect(
    await violationsOf(
      noCurrentObjectExpiry,
      lifecycle({ ...history, expiration: { expiredObjectDeleteMarker: true } }),
    ),
  ).toEqual([]);
});

const secretLine = "LITESTREAM_SECRET_ACCESS_KEY=wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY\n";

test.each([
  ["a file that everybody reads", file("0644", secretLine)],
  ["a file without permissions", file("", secretLine)],
  ["a setting", server(`#cloud-config\n${JSON.stringify({ runcmd: [`curl -d password=correcthorsebattery x`] })}`)],
  ["a shell script", server(`#!/bin/sh\nexport ${secretLine}`)],
  ["a private key in a script", server("#!/bin/sh\n# -----BEGIN OPENSSH PRIVATE KEY-----\n")],
])("a secret in %s is caught", async (_where, example) => {
  expect(await violationsOf(noSecretInClear, example)).not.toEqual([]);
});

test("a secret hidden in base64 is caught too", async () => {
  const content = Buffer.from(secretLine).toString("base64");
  const hidden = server(
    `#cloud-config\n${JSON.stringify({ write_files: [{ path: "/x", permissions: "0644", encoding: "b64", content }] })}`,
  );
  expect(await violationsOf(noSecretInClear, hidden)).toHaveLength(1);
});

test("the user-data that we render passes, and its key is found as soon as its file is open", async () => {
  const input: UserDataInput = {
    hostname: "lifeboat-test",
    release: { sha256: "a".repeat(64) },
    filesystem: "btrfs",
    bucket: { bucket: "boats", region: "eu-central-1", pathStyle: false, bucketId: "bucket-id" },
    key: { accessKeyId: "AKIAIOSFODNN7EXAMPLE", secretAccessKey: "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY" },
    apiTokensSha256: [`my-token:${"b".repeat(64)}`],
    replicationIntervalMs: 1000,
    retentionHours: 168,
  };
  const userData = renderUserData(input);
  expect(await violationsOf(noSecretInClear, server(userData))).toEqual([]);
  const opened = userData.replaceAll("0600", "0644");
  expect(await violationsOf(noSecretInClear, server(opened))).not.toEqual([]);
});

test("a secret in a root-only file passes, and so does a setting that only names one", async () => {
  expect(await violationsOf(noSecretInClear, file("0600", secretLine))).toEqual([]);
  expect(
    await violationsOf(noSecretInClear, server("#!/bin/sh\nSECRET_ACCESS_KEY=$(cat /run/credentials/key)\n")),
  ).toEqual([]);
});

const bucket: Example = { type: "aws:s3/bucket:Bucket", props: { bucket: "b" } };
const versioning = (status: string): Example => ({
  type: "aws:s3/bucketVersioning:BucketVersioning",
  props: { bucket: "b", versioningConfiguration: { status } },
});
const block = (blockPublicPolicy: boolean): Example => ({
  type: "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock",
  props: { bucket: "b", blockPublicAcls: true, blockPublicPolicy, ignorePublicAcls: true, restrictPublicBuckets: true },
});

test("a bucket that is open, or keeps no versions, is caught", async () => {
  expect(await stackViolationsOf([bucket, versioning("Enabled"), block(true)])).toEqual([]);
  expect(await stackViolationsOf([bucket, versioning("Suspended"), block(true)])).toHaveLength(1);
  expect(await stackViolationsOf([bucket, versioning("Enabled"), block(false)])).toHaveLength(1);
  expect(await stackViolationsOf([bucket])).toHaveLength(2);
  const elsewhere = { ...block(true), props: { ...block(true).props, bucket: "another" } };
  expect(await stackViolationsOf([bucket, versioning("Enabled"), elsewhere])).toHaveLength(1);
});

test("a bucket at a store without public-access blocks is judged by its versioning", async () => {
  const given = { ...bucket, provider: { endpoints: [{ s3: "https://s3.example.com" }] } };
  expect(await stackViolationsOf([given, versioning("Enabled")])).toEqual([]);
  expect(await stackViolationsOf([given])).toHaveLength(1);
});
