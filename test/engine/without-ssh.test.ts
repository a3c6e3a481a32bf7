import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { afterAll, beforeAll, expect, test } from "vitest";

import { settingsObject } from "../../app/deploys/sealed-settings.ts";
import { readSettingsKey } from "./machines/bring-up.ts";
import {
  failureOf,
  onlyServer,
  openScenario,
  productionBucket,
  readObject,
  readText,
  type Scenario,
} from "./project/open-scenario.ts";
import { runVerb } from "./project/run-verb.ts";

// A stack whose machine nobody reaches by SSH, from its first `up` to its end. The machine's part is played;
// test/machine/settings.test.ts has the real one. Every test goes on where the one before it ended.
let scenario: Scenario;

beforeAll(async () => {
  scenario = await openScenario();
  await scenario.checkout.build("release one");
  await scenario.stack.removeConfig("adminCidrs");
});
afterAll(() => scenario[Symbol.asyncDispose]());

const run = (...words: ["up" | "down", ...string[]]) =>
  runVerb({ project: scenario, checkout: scenario.checkout }, words);
const readWish = async () => Object(await readObject(scenario, productionBucket, "wanted-release.json"));
const machine = () => scenario.machines.running.get(onlyServer(scenario).id);
const openPorts = () =>
  [...scenario.hetzner.cloud.firewalls.values()].flatMap(({ rules }) => rules.map(({ port }) => port));

test("the first up ends on a machine without a port for SSH, and nobody has asked for one", async () => {
  const { code, stdout, stderr } = await run("up", "--yes");
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(stdout.trim().split("\n").at(-1)).toBe(`https://${onlyServer(scenario).public_net.ipv4?.ip}`);
  expect(new Set(openPorts())).toEqual(new Set(["80", "443"]));
  expect(await readWish()).toMatchObject({ way: "settings", machine: String(onlyServer(scenario).id) });
  expect(machine()).toMatchObject({ heartbeatUrl: "" });
  expect(Object.keys(await scenario.stack.outputs())).not.toContain("sshCommand");
});

test("a verb that would ask the machine over SSH says that it is closed, and how to open it", async () => {
  const { code, stderr } = await runVerb({ project: scenario, checkout: scenario.checkout }, ["status"]);
  expect(code).toBe(1);
  expect(stderr).toMatch(/status: SSH to server \d+ is closed[^]*pulumi config set --path 'adminCidrs\[0\]'/);
});

test("the key of the settings is a secret of the state, and not a word of them lies readable in the bucket", async () => {
  const [, key = ""] =
    /settings-key\n\s+permissions: "0600"\n\s+content: \|\n\s+([0-9a-f]{64})/.exec(onlyServer(scenario).user_data) ??
    [];
  expect(key).not.toBe("");
  const files = readdirSync(scenario.stateDirectory, { recursive: true, withFileTypes: true }).filter((entry) =>
    entry.isFile(),
  );
  const holding = files.filter(({ parentPath, name }) => readFileSync(join(parentPath, name), "utf8").includes(key));
  expect(files.length).toBeGreaterThan(0);
  expect(holding.map(({ name }) => name)).toEqual([]);
  const { settings } = await readWish();
  const sealed = await readText(scenario, productionBucket, settingsObject(String(settings)));
  expect(sealed).not.toContain("LITESTREAM");
  expect(Buffer.from(sealed, "base64").toString("latin1")).not.toContain("LITESTREAM");
});

test("another token, an address to call and a rotated key come by the bucket", async () => {
  const before = machine();
  await scenario.stack.setConfig("apiTokens", { value: "x".repeat(40), secret: true });
  await scenario.stack.setConfig("heartbeatUrl", { value: "https://ping.example/tok", secret: true });
  await scenario.stack.setConfig("keyGeneration", { value: "2" });
  expect(await run("up", "--yes")).toMatchObject({ code: 0, stderr: "" });
  expect(machine()?.heartbeatUrl).toBe("https://ping.example/tok");
  expect(machine()?.tokens).not.toBe(before?.tokens);
  expect(machine()?.accessKeyId).not.toBe(before?.accessKeyId);
});

test("settings that a machine takes back are told, and are not taken for done", async () => {
  scenario.machines.refuse("no luck today, going back to the settings from before");
  await scenario.stack.setConfig("retentionHours", { value: "48" });
  const failure = await failureOf(scenario.stack.up());
  expect(failure).toContain("no luck today");
  expect(failure).toContain("run up again with the same configuration");
  scenario.machines.refuse(null);
  expect(await run("up", "--yes")).toMatchObject({ code: 0, stderr: "" });
});

test("a rebuild stops the services by the bucket first", async () => {
  const { id } = onlyServer(scenario);
  scenario.machines.failStop("lifeboat: the last sync failed");
  const refused = await run("up", "--yes", "--rebuild");
  expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining("the last sync failed") });
  expect(onlyServer(scenario).id).toBe(id);
  scenario.machines.failStop(null);
  expect(await run("up", "--yes", "--rebuild")).toMatchObject({ code: 0, stderr: "" });
  expect(scenario.machines.serviceCalls).toEqual([`stop ${id}`, `start ${id}`, `stop ${id}`]);
  expect(onlyServer(scenario).id).not.toBe(id);
  expect(machine()).toBeDefined();
});

test("a machine that has no key for the settings is not waited for: up says how it gets one", async () => {
  const exported = await scenario.stack.exportStack();
  // As an older program left it.
  const older = JSON.parse(JSON.stringify(exported).replaceAll(/"LIFEBOAT_REACH":"bucket",?/g, ""));
  await scenario.stack.importStack(older);
  await scenario.stack.setConfig("retentionHours", { value: "72" });
  const { code, stderr } = await run("up", "--yes");
  expect({ code, stderr }).toEqual({
    code: 1,
    stderr: expect.stringContaining("before settings could come by the bucket"),
  });
  await scenario.stack.importStack(exported);
  expect(await run("up", "--yes")).toMatchObject({ code: 0, stderr: "" });
});

test("another key for the settings does not come by the bucket: up says how it comes, and changes nothing", async () => {
  const before = readSettingsKey(machine()?.settings ?? "");
  await scenario.stack.setConfig("settingsKeyGeneration", { value: "2" });
  const { code, stderr } = await run("up", "--yes");
  expect({ code, stderr }).toEqual({
    code: 1,
    stderr: expect.stringMatching(/settingsKeyGeneration.*nothing was changed\n.*adminCidrs\[0\].*\n.*--rebuild/),
  });
  expect(readSettingsKey(machine()?.settings ?? "")).toBe(before);
});

test("with SSH it goes that way again, with the new key, and without it back by the bucket", async () => {
  const before = readSettingsKey(machine()?.settings ?? "");
  await scenario.stack.setConfig("adminCidrs[0]", { value: "127.0.0.0/8" }, true);
  expect(await run("up", "--yes")).toMatchObject({ code: 0, stderr: "" });
  const after = readSettingsKey(machine()?.settings ?? "");
  expect(after).toMatch(/^[0-9a-f]{64}$/);
  expect(after).not.toBe(before);
  expect(openPorts()).toContain("22");
  expect(await readWish()).toMatchObject({ way: "ssh" });
  await scenario.stack.removeConfig("adminCidrs");
  expect(await run("up", "--yes")).toMatchObject({ code: 0, stderr: "" });
  expect(openPorts()).not.toContain("22");
  expect(await readWish()).toMatchObject({ way: "settings" });
});

test("a rebuild brings another key for the settings without SSH", async () => {
  const before = readSettingsKey(machine()?.settings ?? "");
  await scenario.stack.setConfig("settingsKeyGeneration", { value: "3" });
  expect(await run("up", "--yes", "--rebuild")).toMatchObject({ code: 0, stderr: "" });
  const after = readSettingsKey(machine()?.settings ?? "");
  expect(after).not.toBe(before);
  expect(onlyServer(scenario).user_data).toContain(after);
  expect(openPorts()).not.toContain("22");
});

test("a down ends after the final sync that the machine reports, and the next machine does not hear the stop", async () => {
  const { id } = onlyServer(scenario);
  expect(await run("down", "--yes")).toMatchObject({ code: 0, stderr: "" });
  expect(scenario.machines.serviceCalls.at(-1)).toBe(`stop ${id}`);
  expect(await readWish()).toMatchObject({ way: "stop", machine: String(id) });
  expect(await run("up", "--yes")).toMatchObject({ code: 0, stderr: "" });
  expect(scenario.machines.stopped.has(onlyServer(scenario).id)).toBe(false);
});
