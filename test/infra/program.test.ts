import * as pulumi from "@pulumi/pulumi";
import { beforeAll, expect, test, vi } from "vitest";

import { type LoadedProgram, loadProgram, settings } from "./load-program.ts";
import { accountId } from "./recorded-stack.ts";
import { valueOf } from "./value-of.ts";

const sha256 = "ab".repeat(32);
const secretMark = "1b47061264138c4ac30d75fd1eb44270";
vi.mock("../../infra/components/read-release.ts", () => ({
  readRelease: () => ({ sha256, path: import.meta.filename }),
}));

const bucketName = `lifeboat-test-${accountId}`;
const heartbeatUrl = "https://ping.example/tok_of-the-heartbeat";
let program: LoadedProgram;
beforeAll(async () => {
  program = await loadProgram({ config: { ...settings, "lifeboat:heartbeatUrl": heartbeatUrl } });
});

test("every resource belongs to the component that is its noun", () => {
  const components = new Map([
    ["ReplicaBucket", ["aws:s3/", "command:"]],
    ["ReplicaAccess", ["aws:iam/"]],
    ["AppRelease", ["aws:s3/"]],
    ["Address", ["hcloud:index/primaryIp"]],
    ["DnsRecords", ["hcloud:index/zoneRrset"]],
    ["Machine", ["hcloud:index/"]],
    ["DataVolume", ["hcloud:index/volume"]],
    ["SettingsKey", ["command:"]],
    ["ActiveRelease", ["command:"]],
    ["RecoveryCard", ["aws:s3/"]],
  ]);
  const custom = program.resources.filter(({ type }) => !type.startsWith("lifeboat:") && !type.startsWith("pulumi:"));
  expect(custom.length).toBeGreaterThan(15);
  for (const { type, name, parent } of custom) {
    const component = parent.split("::")[2]?.split("$").at(-1)?.split(":").at(-1) ?? "";
    expect(
      components.get(component)?.some((prefix) => type.startsWith(prefix)),
      `${type} ${name} in ${component}`,
    ).toBe(true);
  }
});

test("nothing of the bucket or its content, and not the volume, is deleted with the stack", () => {
  const data = program.resources.filter(
    ({ type }) => type.startsWith("aws:s3/") || type === "hcloud:index/volume:Volume",
  );
  expect(data.length).toBe(11);
  expect(data.filter(({ retainOnDelete }) => !retainOnDelete)).toEqual([]);
});

test("nothing is protected in Pulumi, for that would let a destroy fail half-way", () => {
  expect(program.resources.filter(({ protect }) => protect)).toEqual([]);
});

test("head is never a resource, and neither is the desired release an object of Pulumi's", () => {
  const objects = program.resources.filter(({ type }) => type.startsWith("aws:s3/bucketObject"));
  expect(new Set(objects.map(({ inputs }) => inputs["key"]))).toEqual(
    new Set(["recovery-card.txt", "recovery.json", `releases/${sha256}.tar.gz`]),
  );
});

test("a bucket that is not there is made, and none is adopted", () => {
  expect(program.the("aws:s3/bucket:Bucket")).toMatchObject({ importId: "", inputs: { bucket: bucketName } });
  expect(program.calls).toContain("aws:s3/getBucket:getBucket");
});

test("the bucket is private, versioned, encrypted, for TLS only, and expires nothing current", () => {
  expect(program.the("aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock").inputs).toMatchObject({
    blockPublicAcls: true,
    blockPublicPolicy: true,
    ignorePublicAcls: true,
    restrictPublicBuckets: true,
  });
  expect(program.the("aws:s3/bucketVersioning:BucketVersioning").inputs).toMatchObject({
    versioningConfiguration: { status: "Enabled" },
  });
  expect(program.the("aws:s3/bucketOwnershipControls:BucketOwnershipControls").inputs).toMatchObject({
    rule: { objectOwnership: "BucketOwnerEnforced" },
  });
  expect(JSON.stringify(program.the("aws:s3/bucketPolicy:BucketPolicy").inputs)).toContain("aws:SecureTransport");
  const { rules } = program.the("aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration").inputs;
  const shared = {
    status: "Enabled",
    expiration: { expiredObjectDeleteMarker: true },
    abortIncompleteMultipartUpload: { daysAfterInitiation: 7 },
  };
  expect(rules).toEqual([
    { ...shared, id: "epochs", filter: { prefix: "epochs/" }, noncurrentVersionExpiration: { noncurrentDays: 3 } },
    { ...shared, id: "history", filter: {}, noncurrentVersionExpiration: { noncurrentDays: 30 } },
  ]);
});

test("the settings of the bucket are made one after the other, and the bucket's own resource judges none of them", () => {
  const made = program.resources.filter(({ type }) => /^aws:s3\/bucket(?!:|Object)/.test(type));
  expect(made.length).toBe(6);
  const [first, ...others] = made;
  expect(first?.type).toBe("aws:s3/bucketVersioning:BucketVersioning");
  for (const [index, { type, dependencies }] of others.entries()) {
    const before = made[index]?.type ?? "";
    expect(
      dependencies.some((urn) => urn.includes(before)),
      `${type} after ${before}`,
    ).toBe(true);
  }
  expect(program.the("aws:s3/bucket:Bucket").ignoreChanges).toEqual(
    expect.arrayContaining(["versioning", "lifecycleRules", "serverSideEncryptionConfiguration", "policy", "tags"]),
  );
});

test("the server is replaced on purpose only, and never before the old one is gone", () => {
  const server = program.the("hcloud:index/server:Server");
  expect(server.deleteBeforeReplace).toBe(true);
  expect(server.ignoreChanges).toEqual(expect.arrayContaining(["userData", "image", "sshKeys"]));
  expect(server.replaceOnChanges).toEqual(["serverType"]);
  expect(server.replacementTrigger).toBe(0);
  expect(server.inputs).toMatchObject({ shutdownBeforeDeletion: true, labels: { rebuild: "0" } });
});

test("user-data is secret on the wire", () => {
  const { userData } = program.the("hcloud:index/server:Server").inputs;
  expect(Object.values(Object(userData))).toContain(secretMark);
  expect(Object(userData).value).toMatch(/^#cloud-config\n/);
  expect(Object(userData).value).toContain(`secret-of-access-machine-fsn1-1`);
  expect(Object(userData).value).toContain(`LIFEBOAT_HEARTBEAT_URL='${heartbeatUrl}'`);
});

test("the volume hangs on the server itself, without an attachment that would be taken first", () => {
  expect(program.resources.filter(({ type }) => type.includes("volumeAttachment"))).toEqual([]);
  const volume = program.the("hcloud:index/volume:Volume");
  expect(volume.inputs).toMatchObject({ serverId: 4711, size: 10, deleteProtection: true });
  expect(volume.inputs).not.toHaveProperty("location");
  expect(volume.dependencies.some((urn) => urn.includes("server:Server"))).toBe(true);
});

test("the provider names the firewall, so that one which a lost state left behind stands in nobody's way", () => {
  const firewall = program.the("hcloud:index/firewall:Firewall");
  expect(firewall.inputs).not.toHaveProperty("name");
  // Older stacks gave a name, and another one would be a change.
  expect(firewall.ignoreChanges).toEqual(["name"]);
});

test("a public key is put into the Hetzner project, a name is used as it is", () => {
  expect(program.the("hcloud:index/sshKey:SshKey").inputs["publicKey"]).toMatch(/^ssh-ed25519 \S+$/);
  expect(program.the("hcloud:index/server:Server").inputs["sshKeys"]).toEqual(["laptop", "4711"]);
});

test("a release becomes the desired one only after it was activated on the machine and its volume", () => {
  const activation = program.the("command:local:Command", "active-activation");
  const desired = program.the("command:local:Command", "active-desired");
  expect(activation.dependencies.some((urn) => urn.includes("volume:Volume"))).toBe(true);
  expect(desired.dependencies.some((urn) => urn.endsWith("active-activation"))).toBe(true);
  expect(activation.inputs["environment"]).toMatchObject({ LIFEBOAT_RELEASE: sha256, LIFEBOAT_VOLUME_GB: "10" });
});

test("the way back is written into the bucket once the machine answered, with every setting and no secret", () => {
  const [card, json] = ["recovery-card", "recovery-settings"].map((name) =>
    program.the("aws:s3/bucketObjectv2:BucketObjectv2", name),
  );
  expect(card?.inputs["content"]).toContain("printed-by-replica-sentinel");
  // The bucket cannot hold this secret: the user of the card brings it.
  expect(card?.inputs["content"]).toContain('pulumi config set --secret heartbeatUrl "$HEARTBEAT_URL"');
  for (const object of [card, json]) {
    expect(object?.dependencies.some((urn) => urn.endsWith("active-activation"))).toBe(true);
    expect(object?.inputs["content"]).not.toMatch(/secret-of-|tok_/);
  }
  expect(JSON.parse(String(json?.inputs["content"]))).toEqual({
    format: 1,
    owner: "lifeboat/test",
    bucketId: "printed-by-replica-sentinel",
    config: {
      "aws:region": "eu-central-1",
      "lifeboat:adminCidrs[0]": "203.0.113.7/32",
      "lifeboat:bucket": bucketName,
      "lifeboat:bucketId": "printed-by-replica-sentinel",
      "lifeboat:deployKey": "false",
      "lifeboat:domain": "ip",
      "lifeboat:filesystem": "ext4",
      "lifeboat:image": "debian-13",
      "lifeboat:keepAddress": "true",
      "lifeboat:keyFromAnywhere": "false",
      "lifeboat:keyGeneration": "1",
      "lifeboat:location": "fsn1",
      "lifeboat:protectData": "true",
      "lifeboat:rebuild": "0",
      "lifeboat:replicationIntervalMs": "1000",
      "lifeboat:syncsPerMonth": "26000000",
      "lifeboat:retentionHours": "24",
      "lifeboat:serverType": "cx33",
      "lifeboat:settingsKeyGeneration": "1",
      "lifeboat:sshKeys[0]": "laptop",
      "lifeboat:sshKeys[1]": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ3n4ZUm me@laptop",
      "lifeboat:store": "aws",
      "lifeboat:volumeSizeGb": "10",
      "lifeboat:www": "false",
    },
  });
});

test("no secret stands in a command, which a failure would print, nor in its environment", () => {
  for (const { inputs } of program.resources.filter(({ type }) => type === "command:local:Command")) {
    const { stdin, ...shown } = inputs;
    expect(JSON.stringify(shown)).not.toMatch(/secret-of-|tok_/);
    if (stdin !== undefined) expect(Object.values(Object(stdin))).toContain(secretMark);
  }
  const { stdin } = program.the("command:local:Command", "active-activation").inputs;
  for (const secret of ["secret-of-access-machine-fsn1-1", heartbeatUrl])
    expect(JSON.stringify(stdin)).toContain(secret);
});

test("the outputs say where it runs, how to get in, what it costs, and how to get the data back, openly", async () => {
  const { outputs } = program;
  expect(await valueOf(outputs.url)).toBe("https://203.0.113.9");
  expect(await valueOf(outputs.ipv6)).toBe("2001:db8:9::1");
  expect(await valueOf(outputs.sshCommand)).toBe("ssh root@203.0.113.9");
  expect(await valueOf(outputs.bucket)).toBe(bucketName);
  expect(outputs.restoreCommand).toContain(bucketName);
  expect(await valueOf(outputs.runningRelease)).toBe("printed-by-active-desired");
  expect(outputs.serverType).toBe("cx33");
  expect(await pulumi.isSecret(outputs.bucketId)).toBe(false);
  expect(outputs.monthlyCost).toMatch(/^9\.\d\d EUR and \d+\.\d\d USD, if every second brings a write$/);
});

test("plain `pulumi up` prints no table and no text of several lines as an output", async () => {
  // The engine leaves out what is undefined, such as a deploy key that nobody asked for.
  const given = Object.values(program.outputs).filter((value) => value !== undefined);
  const values = await Promise.all(given.map((value) => valueOf(pulumi.output<unknown>(value))));
  expect(values.length).toBeGreaterThan(8);
  expect(values.filter((value) => typeof value !== "string" || value.includes("\n"))).toEqual([]);
});
