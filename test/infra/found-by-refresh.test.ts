import { beforeAll, expect, test, vi } from "vitest";

import { type LoadedProgram, loadProgram, settings } from "./load-program.ts";

vi.mock("../../infra/components/read-release.ts", () => ({
  readRelease: () => ({ sha256: "ab".repeat(32), path: import.meta.filename }),
}));

/**
 * The inputs that a read of the provider writes and its schema calls optional but not computed, so that one which the
 * program does not give counts as to be taken away. Sources: internal/* of terraform-provider-hcloud 1.68,
 * internal/service/{s3,iam} of terraform-provider-aws 6. A resource that the program gets anew is to be looked up
 * there.
 */
const foundByRefresh: Readonly<Record<string, readonly string[]>> = {
  "hcloud:index/server:Server": ["backups", "deleteProtection", "labels", "placementGroupId", "rebuildProtection"],
  "hcloud:index/volume:Volume": ["deleteProtection", "labels"],
  "hcloud:index/primaryIp:PrimaryIp": ["autoDelete", "deleteProtection", "labels"],
  "hcloud:index/firewall:Firewall": ["rules"],
  "hcloud:index/sshKey:SshKey": ["labels"],
  "hcloud:index/zoneRrset:ZoneRrset": ["changeProtection", "labels", "ttl"],
  // The bucket's own settings, which a read writes as if they were its.
  "aws:s3/bucket:Bucket": [
    ["accelerationStatus", "corsRules", "grants", "lifecycleRules", "logging", "objectLockConfiguration", "policy"],
    ["replicationConfiguration", "requestPayer", "serverSideEncryptionConfiguration", "tags", "tagsAll"],
    ["versioning", "website"],
  ].flat(),
  "aws:s3/bucketVersioning:BucketVersioning": ["versioningConfiguration"],
  "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration": ["rules"],
  "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock": [
    ["blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets"],
  ].flat(),
  "aws:s3/bucketOwnershipControls:BucketOwnershipControls": ["rule"],
  "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration": ["rules"],
  "aws:s3/bucketPolicy:BucketPolicy": ["policy"],
  "aws:s3/bucketObjectv2:BucketObjectv2": [
    ["cacheControl", "contentDisposition", "contentEncoding", "contentLanguage", "metadata", "websiteRedirect"],
    ["objectLockLegalHoldStatus", "objectLockMode", "objectLockRetainUntilDate", "tags", "tagsAll"],
  ].flat(),
  "aws:iam/user:User": ["path", "permissionsBoundary", "tags", "tagsAll"],
  "aws:iam/userPolicy:UserPolicy": ["policy"],
  "aws:iam/accessKey:AccessKey": ["status"],
  // A script of ours: nothing is read.
  "command:local:Command": [],
};

let program: LoadedProgram;
beforeAll(async () => {
  program = await loadProgram({
    config: { ...settings, "lifeboat:domain": "app.example.com", "lifeboat:dnsZone": "example.com" },
    zone: { name: "example.com", mode: "primary", rrsets: [] },
  });
});

test("whatever a refresh may find at a resource is either said by the program or left as it is found", () => {
  const custom = program.resources.filter(({ type }) => !/^(lifeboat|pulumi):/.test(type));
  expect(new Set(custom.map(({ type }) => type))).toEqual(new Set(Object.keys(foundByRefresh)));
  const undone = custom.flatMap(({ type, name, inputs, ignoreChanges }) =>
    (foundByRefresh[type] ?? [])
      .filter((input) => !(input in inputs) && !ignoreChanges.includes(input))
      .map((input) => `${type} ${name}: ${input}`),
  );
  expect(undone).toEqual([]);
});

test("what other people add to a user of theirs stays, also beside what the program says", () => {
  for (const name of ["access-machine-fsn1", "access-edge-fsn1"])
    expect(program.the("aws:iam/user:User", name).ignoreChanges).toEqual(expect.arrayContaining(["tags", "tagsAll"]));
});
