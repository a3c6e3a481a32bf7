import { beforeAll, expect, test, vi } from "vitest";

import { type LoadedProgram, loadProgram, settings } from "./load-program.ts";

vi.mock("../../infra/components/read-release.ts", () => ({
  readRelease: () => ({ sha256: "ab".repeat(32), path: import.meta.filename }),
}));

const labels = { lifeboat: "lifeboat-test", bucket: "boats" };
const fallback = { "lifeboat:serverTypeFallbacks": '["cpx32"]' };
let program: LoadedProgram;
beforeAll(async () => {
  program = await loadProgram({
    config: { ...settings, "lifeboat:bucket": "boats", "lifeboat:bucketId": "known-bucket-id", ...fallback },
    bucketExists: true,
    volumes: [
      { id: 11, name: "kept", location: "fsn1", labels },
      { id: 12, name: "moved away from", location: "hel1", labels },
      { id: 13, name: "of another stack", location: "fsn1", labels: { ...labels, lifeboat: "lifeboat-production" } },
      { id: 14, name: "of another bucket", location: "fsn1", labels: { ...labels, bucket: "other" } },
    ],
    addresses: [
      { id: 21, name: "kept", type: "ipv4", location: "fsn1", assigneeId: 0, labels },
      { id: 22, name: "moved away from", type: "ipv4", location: "hel1", assigneeId: 0, labels },
      { id: 23, name: "held by a server", type: "ipv4", location: "fsn1", assigneeId: 31, labels },
      { id: 24, name: "kept too", type: "ipv6", location: "fsn1", assigneeId: 0, labels },
    ],
    servers: [{ id: 31, name: "standing", location: "fsn1", serverType: "cpx32", labels: { ...labels, rebuild: "0" } }],
    sshKeys: [{ id: 41, name: "kept", publicKey: "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ3n4ZUm", labels }],
  });
});

test("an existing bucket is adopted, not made again", () => {
  expect(program.the("aws:s3/bucket:Bucket").importId).toBe("boats");
});

test("the volume that this stack left in this location is adopted, and no other", () => {
  expect(program.the("hcloud:index/volume:Volume")).toMatchObject({
    name: "data-fsn1",
    importId: "11",
    ignoreChanges: ["name"],
  });
});

test("the addresses and the key that this stack left are adopted", () => {
  expect(program.the("hcloud:index/primaryIp:PrimaryIp", "machine-fsn1").importId).toBe("21");
  expect(program.the("hcloud:index/primaryIp:PrimaryIp", "machine-fsn1-ipv6").importId).toBe("24");
  expect(program.the("hcloud:index/sshKey:SshKey").importId).toBe("41");
});

test("the existing machine keeps its type, and its price is the one reported", () => {
  expect(program.the("hcloud:index/server:Server").inputs["serverType"]).toBe("cpx32");
  expect(program.outputs.serverType).toBe("cpx32");
});

test("the sentinel is compared with the bucket's remembered id", () => {
  const { environment } = program.the("command:local:Command", "replica-sentinel").inputs;
  expect(environment).toMatchObject({ LIFEBOAT_BUCKET_ID: "known-bucket-id", LIFEBOAT_OWNER: "lifeboat/test" });
});
