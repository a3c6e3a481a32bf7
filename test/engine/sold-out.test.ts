import { afterEach, beforeEach, expect, test } from "vitest";

import { noFaults } from "./hcloud/faults.ts";
import { failureOf, onlyServer, openScenario, type Scenario, takeHetznerCalls } from "./project/open-scenario.ts";
import { runVerb } from "./project/run-verb.ts";

// A replacement deletes the server first, so the program must ask for the type before it changes anything.
let scenario: Scenario;

beforeEach(async () => {
  scenario = await openScenario();
});
afterEach(() => scenario[Symbol.asyncDispose]());

function breakCloud(faults: Partial<typeof noFaults>): void {
  scenario.hetzner.cloud.faults = { ...noFaults, ...faults };
}

async function set(settings: Record<string, string>): Promise<void> {
  const values = Object.entries(settings).map(([name, value]) => [name, { value }] as const);
  await scenario.stack.setAllConfig(Object.fromEntries(values), true);
}

test("a first up whose type is sold out makes nothing and says what can be had, and takes a fallback if one is named", async () => {
  breakCloud({ soldOut: ["cx33@fsn1"] });
  const failure = await failureOf(scenario.stack.up());
  expect(failure).toContain("server type cx33 is sold out in fsn1; nothing was changed");
  expect(failure).toContain("pulumi config set serverType cax21");
  expect(failure).toContain("cx33 in nbg1, hel1): pulumi config set location nbg1");
  expect([takeHetznerCalls(scenario), scenario.calls]).toEqual([[], []]);
  await set({ "serverTypeFallbacks[0]": "ccx23", "serverTypeFallbacks[1]": "cpx32" });
  breakCloud({ soldOut: ["cx33@fsn1", "ccx23"] });
  await scenario.stack.up();
  expect(onlyServer(scenario).server_type.name).toBe("cpx32");
});

test("a first `npm run up` of a stack that has chosen neither type nor location goes where its type can be had, and stays there", async () => {
  breakCloud({ soldOut: ["cx33@fsn1"] });
  const up = () => runVerb({ project: scenario, checkout: scenario.checkout }, ["up", "--yes"]);
  await scenario.stack.removeConfig("hcloud:token");
  await set({ volumeSizeGb: "5" });
  const faulty = await up();
  for (const fault of ["hcloud:token is missing", "volumeSizeGb"]) expect(faulty.stderr).toContain(fault);
  await scenario.stack.removeConfig("volumeSizeGb");
  await scenario.stack.setConfig("hcloud:token", { value: scenario.hetzner.token, secret: true });
  const { code, stdout, stderr } = await up();
  expect([code, stderr]).toEqual([0, ""]);
  expect(stdout).toContain("server type cx33 is sold out in fsn1: this plan takes it in nbg1");
  expect(onlyServer(scenario).location.name).toBe("nbg1");
  takeHetznerCalls(scenario);
  breakCloud({});
  const again = await up();
  expect([again.code, takeHetznerCalls(scenario)]).toEqual([0, []]);
  expect(again.stdout).not.toContain("sold out");
});

test("a healthy machine keeps its type when it sells out, and when the first choice comes back", async () => {
  await set({ "serverTypeFallbacks[0]": "cpx32" });
  breakCloud({ soldOut: ["cx33"] });
  await scenario.stack.up();
  takeHetznerCalls(scenario);
  for (const soldOut of [["cx33", "cpx32"], []]) {
    breakCloud({ soldOut });
    const { summary } = await scenario.stack.up();
    expect(Object.keys(summary.resourceChanges ?? {})).toEqual(["same"]);
  }
  expect(takeHetznerCalls(scenario)).toEqual([]);
  expect(onlyServer(scenario).server_type.name).toBe("cpx32");
});

test("another type is a new machine with the same volume and address, and the old one is shut down first", async () => {
  await scenario.stack.up();
  const before = onlyServer(scenario);
  expect(before.image.name).toBe("debian-13");
  takeHetznerCalls(scenario);
  await set({ serverType: "cpx32", image: "debian-12" });
  await scenario.stack.up();
  const volume = scenario.hetzner.cloud.volumes.get(before.volumes[0] ?? 0);
  expect(takeHetznerCalls(scenario)).toEqual([
    "POST servers/lifeboat-production/actions/shutdown",
    "DELETE servers/lifeboat-production",
    "POST servers/lifeboat-production",
    `POST volumes/${volume?.name}/actions/attach`,
  ]);
  const after = onlyServer(scenario);
  expect([after.server_type.name, after.image.name, after.status]).toEqual(["cpx32", "debian-12", "running"]);
  expect(after.volumes).toEqual(before.volumes);
  expect(after.public_net.ipv4?.ip).toBe(before.public_net.ipv4?.ip);
  expect(scenario.machines.running.has(after.id)).toBe(true);
});

test.each([
  ["another type", { serverType: "cpx32" }, ["cpx32"]],
  ["a rebuild", { rebuild: "1" }, ["cx33"]],
  ["another location", { location: "hel1" }, ["cx33@hel1"]],
])(
  "%s that cannot be had destroys nothing, stops nothing, and is told by the preview",
  async (_what, change, soldOut) => {
    await scenario.stack.up();
    const before = structuredClone(onlyServer(scenario));
    takeHetznerCalls(scenario);
    scenario.calls.length = 0;
    breakCloud({ soldOut });
    await set(change);
    for (const operation of [scenario.stack.preview.bind(scenario.stack), scenario.stack.up.bind(scenario.stack)]) {
      expect(await failureOf(operation())).toMatch(/server type \w+ is sold out in \w+; nothing was changed/);
    }
    expect([takeHetznerCalls(scenario), scenario.calls]).toEqual([[], []]);
    expect(onlyServer(scenario)).toEqual(before);
  },
);

test("a type that sells out after the old machine was deleted costs the machine and no data, and the next up brings it back", async () => {
  await set({ "serverTypeFallbacks[0]": "cpx32" });
  await scenario.stack.up();
  const { volumes, public_net } = onlyServer(scenario);
  await set({ rebuild: "1" });
  breakCloud({ soldOutMeanwhile: ["cx33"] });
  expect(await failureOf(scenario.stack.up())).toContain("server type cx33 is unavailable in fsn1");
  expect(scenario.hetzner.cloud.servers.size).toBe(0);
  breakCloud({ soldOut: ["cx33"] });
  await scenario.stack.up();
  expect(onlyServer(scenario)).toMatchObject({ volumes, server_type: { name: "cpx32" } });
  expect(onlyServer(scenario).public_net.ipv4).toEqual(public_net.ipv4);
});
