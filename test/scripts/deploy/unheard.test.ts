import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";

import { openTranscript } from "../../../app/cli/transcript.ts";
import { bringSettings } from "../../../scripts/deploy/bring-settings.ts";
import { fetchStandingWish } from "../../../scripts/deploy/wish.ts";
import type { Plan, PlanStep } from "../../../scripts/engine/plan.ts";
import { stopMachine } from "../../../scripts/remote/stop-machine.ts";
import { type CloudStore, openCloudStore } from "../../../scripts/store/open-client.ts";
import { exampleInput } from "../../cloud-init/example-input.ts";
import { ScriptedStore } from "../store/scripted-store.ts";

// What a machine does whose release is older than these ways: nothing.
const silenceMs = 1_500;
const firewall = {
  type: "hcloud:index/firewall:Firewall",
  outputs: { rules: [{ port: "443" }] },
};

let scripted: ScriptedStore;
let place: Record<string, string>;
let store: CloudStore;
const readSecret = async () => scripted.access.secretAccessKey;
beforeAll(async () => {
  scripted = await ScriptedStore.open();
});
afterAll(() => scripted[Symbol.asyncDispose]());
beforeEach(async () => {
  place = scripted.place(await scripted.newBucket());
  store = await openCloudStore(place, readSecret);
  return () => store[Symbol.dispose]();
});

test("settings that nobody hears are taken back, and the first thing to do is a deploy", async () => {
  const { edge, settingsKey, key, apiTokensSha256 } = exampleInput;
  const settings = {
    ...key,
    edge,
    settingsKey,
    apiTokensSha256,
    replicationIntervalMs: 1000,
    syncsPerMonth: 26_000_000,
    retentionHours: 24,
  };
  const upgrade = { sha256: "1".repeat(64), server: "4711", settings, volumeGb: 10, tell: () => undefined, silenceMs };
  await expect(bringSettings(store, upgrade)).rejects.toThrow(/First: npm run deploy[^]*run up again[^]*--rebuild/);
  expect((await fetchStandingWish(store))?.report).toMatchObject({ outcome: "refused" });
});

test("a stop that nobody hears is taken back, and the first thing to do is a deploy", async () => {
  const stack = {
    exportStack: async () => ({ version: 3, deployment: { resources: [firewall] } }),
    getConfig: async () => ({ value: await readSecret(), secret: true }),
  };
  const server: PlanStep = {
    name: "machine",
    type: "hcloud:index/server:Server",
    act: "delete",
    causes: [],
    isRetained: false,
    id: "4711",
    state: { ipv4Address: "203.0.113.7" },
    inputs: {},
  };
  const plan: Plan = { steps: [server], unchangedCount: 0, outputs: {}, storeEnvironment: place };
  const stopped = stopMachine(stack, { plan, server, silenceMs }, openTranscript({ json: true }));
  await expect(stopped).rejects.toThrow(/Nothing was changed\. First: npm run deploy[^]*--without-final-sync/);
  expect((await fetchStandingWish(store))?.report).toMatchObject({ outcome: "refused" });
});
