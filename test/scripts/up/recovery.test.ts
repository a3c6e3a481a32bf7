import { expect, test } from "vitest";

import { adoptedSecrets, adoptedSettings } from "../../../scripts/up/recovery.ts";

const recovery = {
  format: 1 as const,
  owner: "lifeboat/production",
  bucketId: "0b0c5e1d-2a6f",
  config: {
    "lifeboat:location": "fsn1",
    "lifeboat:adminCidrs[0]": "203.0.113.7/32",
    "lifeboat:adminCidrs[1]": "203.0.113.8/32",
    "lifeboat:sshKeys[0]": "ssh-ed25519 AAAA old",
  },
};
const environment = { HCLOUD_TOKEN: "hetzner", AWS_ACCESS_KEY_ID: "id", AWS_SECRET_ACCESS_KEY: "key" };

test("the settings of the bucket are the settings of the stack", () => {
  const settings = adoptedSettings(recovery, { sshKey: undefined, adminCidr: undefined });
  expect(Object.entries(settings).map(([path, { value }]) => [path, value])).toEqual(Object.entries(recovery.config));
});

test("a given list replaces the whole remembered list, and no other", () => {
  const settings = adoptedSettings(recovery, { sshKey: undefined, adminCidr: "198.51.100.4/32" });
  expect(settings["lifeboat:adminCidrs[0]"]).toEqual({ value: "198.51.100.4/32" });
  expect(settings["lifeboat:adminCidrs[1]"]).toBeUndefined();
  expect(settings["lifeboat:sshKeys[0]"]).toEqual({ value: "ssh-ed25519 AAAA old" });
});

test("every adoption has an API token of its own", () => {
  const [one, two] = [adoptedSecrets(recovery, environment), adoptedSecrets(recovery, environment)];
  expect(one.apiToken).toMatch(/^[0-9a-f]{64}$/);
  expect(one.apiToken).not.toBe(two.apiToken);
  expect(one.secrets).toEqual({ "hcloud:token": "hetzner", "lifeboat:apiTokens": one.apiToken });
});

test("a given store's key is taken from the environment", () => {
  const given = { ...recovery, config: { ...recovery.config, "lifeboat:store": "minio" } };
  expect(adoptedSecrets(given, environment)).toMatchObject({
    settings: { "lifeboat:accessKeyId": { value: "id" } },
    secrets: { "lifeboat:secretAccessKey": "key" },
  });
  expect(() => adoptedSecrets(given, { HCLOUD_TOKEN: "hetzner" })).toThrow("AWS_ACCESS_KEY_ID");
  // Amazon's are only for whoever runs this; these would become the machine's.
  expect(() => adoptedSecrets(given, { ...environment, AWS_SESSION_TOKEN: "t" })).toThrow("expire");
  expect(adoptedSecrets(recovery, { ...environment, AWS_SESSION_TOKEN: "t" }).settings).toEqual({});
});

test("without Hetzner's token nothing is started", () => {
  expect(() => adoptedSecrets(recovery, {})).toThrow("HCLOUD_TOKEN");
});
