import { createHash } from "node:crypto";

import * as pulumi from "@pulumi/pulumi";
import { beforeEach, expect, test } from "vitest";

import { platformOf } from "../../cloud-init/built-release.ts";
import { digestTokens } from "../../infra/config/api-tokens.ts";
import { type InfraConfig, readConfig } from "../../infra/config/config.ts";
import { valueOf } from "./value-of.ts";

const good = {
  "hcloud:token": "t".repeat(64),
  "aws:region": "eu-central-1",
  "lifeboat:adminCidrs": '["203.0.113.7/32"]',
  "lifeboat:sshKeys": '["laptop"]',
  "lifeboat:apiTokens": "a".repeat(24),
};
const given = {
  ...good,
  "lifeboat:store": "hetzner",
  "lifeboat:bucket": "boats",
  "lifeboat:region": "fsn1",
  "lifeboat:accessKeyId": "key",
  "lifeboat:secretAccessKey": "secret",
};

beforeEach(async () => {
  await pulumi.runtime.setMocks({ newResource: () => ({ id: "", state: {} }), call: () => ({}) }, "lifeboat", "test");
});

function read(settings: Record<string, string>): InfraConfig {
  pulumi.runtime.setAllConfig(settings);
  return readConfig();
}

function faultsOf(settings: Record<string, string>): string {
  try {
    read(settings);
  } catch (error) {
    if (error instanceof pulumi.RunError) return error.message;
    throw error;
  }
  return "";
}

const tokensFault = (apiTokens: string): string => faultsOf({ ...good, "lifeboat:apiTokens": apiTokens });
const digestOf = (token: string): string => createHash("sha256").update(token).digest("hex");

test("settings with a default need not be set", () => {
  expect(read(good)).toMatchObject({
    name: "lifeboat-test",
    owner: "lifeboat/test",
    location: "fsn1",
    serverType: "cx33",
    image: "debian-13",
    volumeSizeGb: 10,
    filesystem: "ext4",
    protectData: true,
    store: { kind: "aws", region: "eu-central-1" },
    replicationIntervalMs: 1000,
    syncsPerMonth: 26_000_000,
    retentionHours: 24,
    rebuild: 0,
    keyGeneration: 1,
    settingsKeyGeneration: 1,
    keyFromAnywhere: false,
  });
});

test("all faults are reported in one error, and none of them repeats a secret", () => {
  const faults = faultsOf({
    "lifeboat:location": "mars",
    "lifeboat:volumeSizeGb": "5",
    "lifeboat:filesystem": "zfs",
    "lifeboat:apiTokens": "hunter2",
  });
  for (const name of ["location", "volumeSizeGb", "filesystem", "sshKeys", "apiTokens", "aws:region", "hcloud:token"]) {
    expect(faults).toContain(name);
  }
  expect(faults).not.toContain("hunter2");
});

test("SSH for the whole world must be spelled out", () => {
  for (const cidr of ["0.0.0.0/0", "::/0", "0::/0", "::/00", "128.0.0.0/1", "2000::/3"]) {
    const world = { ...good, "lifeboat:adminCidrs": JSON.stringify([cidr]) };
    expect(faultsOf(world)).toContain("opens SSH to everybody");
    expect(read({ ...world, "lifeboat:adminFromAnywhere": "true" }).adminCidrs).toEqual([cidr]);
  }
});

test("Debian 12 can still be chosen, and nothing else", () => {
  expect(read({ ...good, "lifeboat:image": "debian-12" }).image).toBe("debian-12");
  expect(faultsOf({ ...good, "lifeboat:image": "debian-11" })).toContain("debian-13, debian-12");
});

test("more networks than fit into the policy of the machine's key are refused, unless it works from everywhere", () => {
  const many = Array.from({ length: 12 }, (_item, index) => `203.0.113.${100 + index}/32`);
  const here = { ...good, "lifeboat:adminCidrs": JSON.stringify(many) };
  const settings = { ...here, "lifeboat:bucket": "b".repeat(63) };
  expect(read(here).adminCidrs).toHaveLength(12);
  expect(faultsOf(settings)).toContain("set keyFromAnywhere to true");
  expect(read({ ...settings, "lifeboat:keyFromAnywhere": "true" }).adminCidrs).toHaveLength(12);
  expect(read({ ...given, "lifeboat:adminCidrs": JSON.stringify(many) }).adminCidrs).toHaveLength(12);
  expect(read({ ...good, "lifeboat:adminCidrs": JSON.stringify(many.slice(0, 9)) }).adminCidrs).toHaveLength(9);
});

test.each(["203.0.113.7", "203.0.113.7/33", "::1/129", "localhost/8", "1.2.3/24", "1.2.3.4/8/8"])(
  "%s is no network",
  (cidr) => {
    expect(faultsOf({ ...good, "lifeboat:adminCidrs": JSON.stringify([cidr]) })).toContain("is no network");
  },
);

test.each(["2001:db8::/32", "10.0.0.0/8", "::1/128"])("%s is a network", (cidr) => {
  expect(read({ ...good, "lifeboat:adminCidrs": JSON.stringify([cidr]) }).adminCidrs).toEqual([cidr]);
});

test.each(["accessKey", "secretKey"])("a login at AWS by aws:%s is refused, and not repeated", (name) => {
  const faults = faultsOf({ ...good, [`aws:${name}`]: "hunter2" });
  expect(faults).toContain(`aws:${name} is not read by every step`);
  expect(faults).not.toContain("hunter2");
});

test.each(["cn-north-1", "us-gov-west-1"])("region %s is refused", (region) => {
  expect(faultsOf({ ...good, "aws:region": region })).toContain("partition");
});

test("the API tokens are secret even when they were set in clear", async () => {
  const { apiTokens } = read(good);
  expect(await pulumi.isSecret(apiTokens)).toBe(true);
  expect(await valueOf(apiTokens)).toBe("a".repeat(24));
});

test("a token may have a name before it, which the machine gets beside the digest; two names for one are a fault", () => {
  const [first, second] = ["a".repeat(24), "b".repeat(24)];
  expect(digestTokens(`shop:${first},${second}`)).toEqual([`shop:${digestOf(first)}`, digestOf(second)]);
  expect(tokensFault(`shop:${first},shop:${second}`)).toBe("");
  expect(tokensFault(`shop:${first},desk:${first}`)).toContain("apiTokens gives one token two names, shop and desk");
  for (const wrong of ["shop:hunter2", `${first},`, `${first} ${second}`]) {
    expect(tokensFault(wrong)).toContain("apiTokens must hold tokens of 24 characters");
    expect(tokensFault(wrong)).not.toMatch(/hunter2|aaaa/);
  }
});

test("the heartbeat URL is secret, may be left out, and a wrong one is told without being repeated", async () => {
  const url = "https://ping.example/hunter2?also=this";
  const { heartbeatUrl } = read({ ...good, "lifeboat:heartbeatUrl": url });
  expect(heartbeatUrl).toBeDefined();
  expect(await pulumi.isSecret(heartbeatUrl ?? pulumi.output(""))).toBe(true);
  expect(await valueOf(heartbeatUrl ?? pulumi.output(""))).toBe(url);
  expect(read({ ...good, "lifeboat:heartbeatUrl": "" }).heartbeatUrl).toBe(undefined);
  for (const wrong of ["ftp://hunter2", "hunter2", "https://x:hunter2@y", "https://x/hunter2'", "https://x/hun ter2"]) {
    const faults = faultsOf({ ...good, "lifeboat:heartbeatUrl": wrong });
    expect(faults).toContain("heartbeatUrl must ");
    expect(faults).not.toMatch(/hunter2|hun ter2/);
  }
});

test("a preset fills in the endpoint of its store", () => {
  expect(read(given).store).toMatchObject({
    kind: "given",
    endpoint: "https://fsn1.your-objectstorage.com",
    region: "fsn1",
  });
  const r2 = { ...given, "lifeboat:store": "r2", "lifeboat:region": "" };
  expect(faultsOf(r2)).toContain("endpoint is missing");
  expect(read({ ...r2, "lifeboat:endpoint": "https://abc.r2.cloudflarestorage.com" }).store).toMatchObject({
    region: "auto",
  });
});

test("Backblaze B2 is refused by name, for no claim could be won there, and so is a bucket to be made at R2", () => {
  const b2 = faultsOf({ ...good, "lifeboat:store": "b2" });
  expect(b2).toContain("store b2 is refused: Backblaze B2 answers 501 (NotImplemented) to conditional writes");
  for (const other of ["must be one of", "is missing", "aws:region"]) expect(b2).not.toContain(other);
  const host = "https://s3.eu-central-003.backblazeb2.com";
  for (const endpoint of [
    host,
    `${host}/`,
    `${host}:443`,
    `${host}:443/`,
    `${host}/boats`,
    `${host}.`,
    host.toUpperCase(),
  ])
    expect(faultsOf({ ...given, "lifeboat:store": "s3", "lifeboat:endpoint": endpoint })).toContain(
      `endpoint ${endpoint} is refused: Backblaze B2 answers`,
    );
  const another = "https://backblazeb2.com.example.org";
  expect(faultsOf({ ...given, "lifeboat:store": "s3", "lifeboat:endpoint": another })).toBe("");
  const r2 = { ...given, "lifeboat:store": "r2", "lifeboat:endpoint": "https://abc.r2.cloudflarestorage.com" };
  expect(faultsOf(r2)).toBe("");
  expect(faultsOf({ ...r2, "lifeboat:createBucket": "true" })).toContain("R2 has no PutBucketVersioning");
});

test.each(["abc", "abc.eu", "abc.fedramp"])("R2 is also recognised by its endpoint %s", (account) => {
  const making = { ...given, "lifeboat:store": "s3", "lifeboat:createBucket": "true" };
  const faultsAt = (endpoint: string) => faultsOf({ ...making, "lifeboat:endpoint": endpoint });
  for (const end of ["", ":443", "/", "."])
    expect(faultsAt(`https://${account}.r2.cloudflarestorage.com${end}`)).toContain("R2 has no PutBucketVersioning");
  expect(faultsAt(`https://${account}.r2.cloudflarestorage.com.example.org`)).toBe("");
  const adopting = { ...making, "lifeboat:createBucket": "false" };
  expect(faultsOf({ ...adopting, "lifeboat:endpoint": `https://${account}.r2.cloudflarestorage.com` })).toBe("");
});

test("a given store without its key, secret or bucket is refused", () => {
  const faults = faultsOf({ ...good, "lifeboat:store": "s3" });
  for (const name of ["bucket", "region", "endpoint", "accessKeyId", "secretAccessKey"])
    expect(faults).toContain(`${name} is missing`);
});

test("a deploy key is refused at a given store, which has no IAM to make one", () => {
  expect(faultsOf({ ...given, "lifeboat:deployKey": "true" })).toContain("deployKey: a given store has no IAM");
  expect(read({ ...good, "lifeboat:deployKey": "true" }).deployKey).toBe(true);
  expect(read(good).deployKey).toBe(false);
});

test("settings of a given store beside store aws are refused, for they would be ignored", () => {
  expect(faultsOf({ ...good, "lifeboat:endpoint": "https://s3.example.com" })).toContain(
    "endpoint is for a given store",
  );
});

test("a fallback of another processor architecture is refused", () => {
  expect(faultsOf({ ...good, "lifeboat:serverTypeFallbacks": '["cax21"]' })).toContain("cax21");
  expect(read({ ...good, "lifeboat:serverTypeFallbacks": '["cpx32"]' }).serverTypeFallbacks).toEqual(["cpx32"]);
  expect([platformOf("cx33"), platformOf("cax21")]).toEqual(["linux-x64", "linux-arm64"]);
});

test("an endpoint with a path is refused, for the machine could not sign it", () => {
  const s3 = { ...given, "lifeboat:store": "s3" };
  expect(faultsOf({ ...s3, "lifeboat:endpoint": "https://s3.example.com/boats" })).toContain("without a path");
  expect(faultsOf({ ...s3, "lifeboat:endpoint": "s3.example.com" })).toContain("endpoint must be");
});
