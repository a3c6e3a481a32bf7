import type { UserDataInput } from "../../cloud-init/user-data-input.ts";

/** A machine on Amazon. */
export const exampleInput: UserDataInput = {
  hostname: "lifeboat",
  release: { sha256: "5e1ea5e0".repeat(8) },
  filesystem: "ext4",
  bucket: {
    bucket: "acme-lifeboat",
    region: "eu-central-1",
    pathStyle: false,
    bucketId: "0b0c5e1d-2a6f-4c1e-9f5b-6a7d8e9f0a1b",
  },
  key: { accessKeyId: "AKIAEXAMPLE", secretAccessKey: "not/a+secret=but$like%one" },
  // Plain HTTP: a machine of a test asks no certificate authority.
  edge: {
    domain: "none",
    www: false,
    ipv4: "203.0.113.7",
    key: { accessKeyId: "AKIAEDGE", secretAccessKey: "edge/s3cret+" },
  },
  apiTokensSha256: ["70ce".repeat(16)],
  replicationIntervalMs: 1000,
  syncsPerMonth: 26_000_000,
  retentionHours: 168,
  settingsKey: "5ea1".repeat(16),
};
