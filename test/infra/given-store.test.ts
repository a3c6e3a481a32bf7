import { beforeAll, expect, test, vi } from "vitest";

import { historyRules } from "../../infra/config/store-config.ts";
import { type LoadedProgram, loadProgram, settings } from "./load-program.ts";
import type { RecordedResource } from "./recorded-stack.ts";

vi.mock("../../infra/components/read-release.ts", () => ({
  readRelease: () => ({ sha256: "ab".repeat(32), path: import.meta.filename }),
}));

let program: LoadedProgram;
beforeAll(async () => {
  const store = {
    "lifeboat:store": "minio",
    "lifeboat:endpoint": "https://minio.example.com",
    "lifeboat:bucket": "boats",
    "lifeboat:createBucket": "true",
    "lifeboat:accessKeyId": "given-key",
    "lifeboat:secretAccessKey": "given-secret",
  };
  program = await loadProgram({ config: { ...settings, ...store } });
});

function command(name: string): RecordedResource {
  return program.the("command:local:Command", name);
}

test("at a given store the bucket is made, and our own scripts give it versions, then a lifecycle", () => {
  const types = program.resources.map(({ type }) => type).filter((type) => type.startsWith("aws:"));
  expect(types).toEqual(["aws:s3/bucket:Bucket"]);
  const [versioning, lifecycle] = [command("replica-versioning"), command("replica-lifecycle")];
  expect(versioning.inputs).toMatchObject({ create: "node ../scripts/steps/set-versioning.ts" });
  expect(versioning.dependencies.some((urn) => urn.endsWith("replica-sentinel"))).toBe(true);
  expect(lifecycle.dependencies.some((urn) => urn.endsWith("replica-versioning"))).toBe(true);
  expect(JSON.parse(Object(lifecycle.inputs["environment"]).LIFEBOAT_HISTORY_RULES)).toEqual(historyRules);
});

test("everything in the bucket goes through the given endpoint", () => {
  const provider = program.the("pulumi:providers:aws");
  expect(provider.inputs).toMatchObject({
    s3UsePathStyle: "true",
    endpoints: JSON.stringify([{ s3: "https://minio.example.com" }]),
  });
  const inBucket = program.resources.filter(({ type }) => type.startsWith("aws:"));
  expect(inBucket.filter(({ provider: used }) => !used.includes("pulumi:providers:aws::store"))).toEqual([]);
});

test("the given key goes to the machine, and to no command in clear", () => {
  const { userData } = program.the("hcloud:index/server:Server").inputs;
  expect(Object(userData).value).toContain("given-secret");
  const commands = program.resources.filter(({ type }) => type === "command:local:Command");
  for (const { inputs } of commands) {
    const { stdin: _hidden, ...shown } = inputs;
    expect(JSON.stringify(shown)).not.toContain("given-secret");
  }
  const told = commands.filter(({ inputs }) => JSON.stringify(inputs["stdin"] ?? "").includes("given-secret"));
  expect(told.map(({ name }) => name)).toEqual([
    "replica-sentinel",
    "replica-versioning",
    "replica-lifecycle",
    `release-${"ab".repeat(6)}`,
    "active-activation",
    "active-desired",
    "recovery-card",
    "recovery-settings",
  ]);
});

test("our own script puts release, card and settings there, each in its turn, and nothing takes them away", () => {
  const named = [`release-${"ab".repeat(6)}`, "recovery-card", "recovery-settings"].map(command);
  for (const { inputs, retainOnDelete } of named) {
    expect(inputs).toMatchObject({ create: "node ../scripts/steps/upload-object.ts" });
    expect([inputs["delete"], retainOnDelete]).toEqual([undefined, true]);
  }
  const [release, card, recovery] = named.map(({ inputs }) => Object(inputs["environment"]));
  // No path of this computer: it would be a change in every other clone.
  expect(release).toMatchObject({
    LIFEBOAT_KEY: `releases/${"ab".repeat(32)}.tar.gz`,
    LIFEBOAT_SHA256: "ab".repeat(32),
    LIFEBOAT_FILE: "../test/infra/given-store.test.ts",
    LIFEBOAT_BUCKET_ID: "printed-by-replica-sentinel",
  });
  expect(JSON.parse(recovery.LIFEBOAT_TEXT)).toMatchObject({ format: 1, config: { "lifeboat:bucket": "boats" } });
  expect([card.LIFEBOAT_KEY, recovery.LIFEBOAT_KEY]).toEqual(["recovery-card.txt", "recovery.json"]);
  for (const waiting of [command("active-activation"), program.the("hcloud:index/server:Server")])
    expect(waiting.dependencies.some((urn) => urn.includes("::release-"))).toBe(true);
  expect(command("recovery-card").dependencies.some((urn) => urn.endsWith("active-activation"))).toBe(true);
});

test("the way back names the endpoint", async () => {
  expect(program.outputs.restoreCommand).toContain("https://minio.example.com/boats/head.json");
  const card = Object(command("recovery-card").inputs["environment"]).LIFEBOAT_TEXT;
  expect(card).toContain("pulumi config set --path lifeboat:endpoint https://minio.example.com");
  expect(card).toContain("--adopt boats --region us-east-1 --endpoint https://minio.example.com");
  expect(card).toContain("secretAccessKey");
  expect(card).not.toContain("given-secret");
});
