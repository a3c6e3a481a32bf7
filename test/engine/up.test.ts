import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { afterAll, beforeAll, expect, test } from "vitest";

import { noFaults } from "./hcloud/faults.ts";
import { onlyServer, openScenario, type Scenario, takeHetznerCalls } from "./project/open-scenario.ts";
import { runVerb } from "./project/run-verb.ts";
import { protect, switchOn } from "./project/switch-on.ts";

// One stack, raised and moved by `npm run up`: every test goes on where the one before it ended.
let scenario: Scenario;

beforeAll(async () => {
  scenario = await openScenario();
});
afterAll(() => scenario[Symbol.asyncDispose]());

function up(...words: string[]) {
  return runVerb({ project: scenario, checkout: scenario.checkout }, ["up", ...words]);
}

function readSettings(): string {
  return readFileSync(join(scenario.checkout.directory, "Pulumi.production.yaml"), "utf8");
}

test("a dry run shows the plan and the monthly cost, and makes nothing", async () => {
  const { code, stdout, stderr } = await up("--dry-run");
  console.log(stdout);
  expect(stderr).toBe("");
  expect(stdout).toMatch(/^make +machine +hcloud Firewall, Server$/m);
  expect(stdout).toMatch(/^ITEM +DETAIL +A MONTH$/m);
  expect(stdout).toContain("dry run: nothing was changed");
  expect(code).toBe(0);
  expect(takeHetznerCalls(scenario)).toEqual([]);
});

test("an up deploys what is here: it builds, and plans with that release", async () => {
  const { scenario: project, checkout } = { scenario, checkout: scenario.checkout };
  const { code, stdout } = await runVerb({ project, checkout }, ["up", "--dry-run"], { buildsRelease: true });
  await checkout.build("release one");
  const built = /^\[PASS\] build the release for linux-x64 +[0-9.]+ s {2}([0-9a-f]{12}), [0-9.]+ MB$/m.exec(
    stdout,
  )?.[1];
  expect(stdout).toMatch(new RegExp(`^make +release-${built} `, "m"));
  expect(code).toBe(0);
});

test("without a terminal and without --yes nothing is made", async () => {
  const { code, stderr } = await up();
  expect(stderr).toContain("--yes");
  expect(code).toBe(1);
  expect(takeHetznerCalls(scenario)).toEqual([]);
});

test("an up ends with the URL of a machine that answers /ready", async () => {
  const { code, stdout, stderr } = await up("--yes");
  console.log(stdout);
  expect(stderr).toBe("");
  const url = `https://${onlyServer(scenario).public_net.ipv4?.ip}`;
  expect(stdout.trimEnd().split("\n").slice(-2)).toEqual(["ready, the replica is living", url]);
  expect(stdout).toMatch(/^\[PASS\] machine \(hcloud Server\) +[0-9.]+ s +made$/m);
  expect(code).toBe(0);
  takeHetznerCalls(scenario);
});

test("a verb of the machine is typed there over SSH, once it has shown the host key that it has told the bucket", async () => {
  const ground = { project: scenario, checkout: scenario.checkout };
  expect(await runVerb(ground, ["status", "--json"])).toEqual({ code: 0, stdout: "", stderr: "" });
  expect(scenario.machines.asked).toEqual(["lifeboat status --json"]);
});

test("a second up has nothing to do, whatever somebody has switched on at the providers, and still asks the machine", async () => {
  const addedAtAws = await switchOn(scenario);
  const { code, stdout } = await up("--yes");
  expect(stdout).not.toMatch(/^(make|change|replace|delete) /m);
  expect(stdout).toMatch(/^\[PASS\] https:\S+\/ready from here/m);
  expect(code).toBe(0);
  expect(takeHetznerCalls(scenario)).toEqual([]);
  const { backup_window, protection } = onlyServer(scenario);
  expect([backup_window, protection]).toEqual(["22-02", { delete: true, rebuild: true }]);
  expect(await addedAtAws()).toBe(true);
});

test("what somebody has protected at Hetzner is neither moved nor taken down, and nothing is stopped for it", async () => {
  const { id } = onlyServer(scenario);
  const moved = await up("--location", "hel1", "--yes");
  const down = await runVerb({ project: scenario, checkout: scenario.checkout }, ["down", "--yes"]);
  for (const { code, stderr } of [moved, down]) {
    // The address leaves the stack, and stays.
    expect(stderr).toContain(`somebody has protected hcloud Server lifeboat-production (${id}) from deletion`);
    expect(code).toBe(1);
  }
  expect([takeHetznerCalls(scenario), scenario.machines.serviceCalls]).toEqual([[], []]);
  await protect(scenario, false);
});

test("a token that was revoked hinders no up that has the new one", async () => {
  scenario.hetzner.rotateToken();
  await scenario.stack.setConfig("hcloud:token", { value: scenario.hetzner.token, secret: true });
  const { code, stdout, stderr } = await up("--yes");
  expect(stderr).toBe("");
  expect(stdout).toContain("planned from the state alone");
  expect(code).toBe(0);
  expect((await up("--dry-run")).stdout).not.toContain("planned from the state alone");
});

test("a refused boot is reported with its cause and its next step", async () => {
  await scenario.checkout.build("release two");
  scenario.machines.refuse("no head, but epochs exist");
  const { code, stdout, stderr } = await up("--yes");
  scenario.machines.refuse(null);
  expect(stdout).toMatch(
    /the boot of machine \S+ at \S+ was refused: no head, but epochs exist\nnext: restore head.json/,
  );
  expect(stderr).toContain("no head, but epochs exist");
  expect(code).toBe(1);
  expect((await up("--yes")).code).toBe(0);
  takeHetznerCalls(scenario);
});

test("a replacement that nobody approved is refused, with the cause and the flag", async () => {
  const { id } = onlyServer(scenario);
  await scenario.stack.setConfig("location", { value: "hel1" });
  const { code, stderr } = await up("--yes");
  await scenario.stack.setConfig("location", { value: "fsn1" });
  expect(stderr).toMatch(/machine \(hcloud Server\) would be replaced because of location.*--approve-replacement/);
  expect(code).toBe(1);
  expect(takeHetznerCalls(scenario)).toEqual([]);
  expect(onlyServer(scenario).id).toBe(id);
});

test("a move that is only tried leaves the settings as they were", async () => {
  const before = readSettings();
  const { code, stdout } = await up("--location", "hel1", "--dry-run");
  expect(stdout).toMatch(/^replace +machine +hcloud Server: .*location/m);
  expect(stdout).toMatch(/^keep +data-fsn1 +hcloud Volume$/m);
  expect(code).toBe(0);
  expect(readSettings()).toBe(before);
  expect((await up("--location", "hel1")).code).toBe(1);
  expect(readSettings()).toBe(before);
  expect(takeHetznerCalls(scenario)).toEqual([]);
});

test("a move goes to the other location, keeps the old volume, and writes the location down", async () => {
  const { code, stdout } = await up("--location", "hel1", "--yes");
  expect(code).toBe(0);
  expect(onlyServer(scenario).location.name).toBe("hel1");
  expect(stdout.trimEnd()).toMatch(new RegExp(`https://${onlyServer(scenario).public_net.ipv4?.ip}$`));
  expect([...scenario.hetzner.cloud.volumes.values()].map(({ location }) => location.name)).toEqual(["fsn1", "hel1"]);
  expect(readSettings()).toContain("lifeboat:location: hel1");
});

test("a machine whose last sync failed, or that cannot be reached, is not replaced", async () => {
  const server = onlyServer(scenario);
  const before = readSettings();
  scenario.machines.serviceCalls.length = 0;
  takeHetznerCalls(scenario);
  scenario.machines.failStop("the bucket does not answer");
  const failed = await up("--rebuild", "--yes");
  expect(scenario.machines.serviceCalls.splice(0)).toEqual([`stop ${server.id}`, `start ${server.id}`]);
  scenario.machines.failStop(null);
  server.status = "off";
  const unreachable = await up("--rebuild", "--yes");
  server.status = "running";
  expect(failed.stderr).toMatch(/Nothing was changed.*--without-final-sync[^]*the bucket does not answer/);
  expect(unreachable.stderr).toMatch(/--without-final-sync[^]*Connection refused/);
  expect([failed.code, unreachable.code]).toEqual([1, 1]);
  expect(takeHetznerCalls(scenario)).toEqual([]);
  expect([onlyServer(scenario).id, readSettings()]).toEqual([server.id, before]);
});

test("a rebuild stops the services, replaces the machine and keeps volume and address", async () => {
  const before = onlyServer(scenario);
  const { code, stdout } = await up("--rebuild", "--yes");
  console.log(stdout);
  expect(code).toBe(0);
  expect(scenario.machines.serviceCalls.splice(0)).toEqual([`stop ${before.id}`]);
  expect(stdout.indexOf("[PASS] stop the services, final sync")).toBeGreaterThan(0);
  expect(stdout.indexOf("[PASS] stop the services, final sync")).toBeLessThan(
    stdout.indexOf("deleted, to be replaced"),
  );
  const after = onlyServer(scenario);
  expect(after.id).not.toBe(before.id);
  expect([after.volumes, after.public_net.ipv4?.ip]).toEqual([before.volumes, before.public_net.ipv4?.ip]);
  expect(readSettings()).toMatch(/lifeboat:rebuild: "1"/);
});

test("a burned machine is replaced without a final sync by whoever says so", async () => {
  const server = onlyServer(scenario);
  server.status = "off";
  const { code, stderr } = await up("--rebuild", "--yes", "--without-final-sync");
  expect(stderr).toBe("");
  expect(code).toBe(0);
  expect(onlyServer(scenario).id).not.toBe(server.id);
  expect(onlyServer(scenario).volumes).toEqual(server.volumes);
  expect(scenario.machines.serviceCalls).toEqual([]);
});

test("a replacement that fails tells that the services were stopped before, and the next up goes on", async () => {
  const { volumes } = onlyServer(scenario);
  scenario.hetzner.cloud.faults = { ...noFaults, soldOutMeanwhile: ["cx33"] };
  const { code, stdout } = await up("--rebuild", "--yes");
  scenario.hetzner.cloud.faults = noFaults;
  const goOn = /services .* were stopped\. To go on: npm run up -- (--approve-replacement);/.exec(stdout)?.[1];
  expect(code).toBe(1);
  expect((await up("--yes", goOn ?? "")).code).toBe(0);
  expect(onlyServer(scenario).volumes).toEqual(volumes);
  scenario.machines.serviceCalls.length = 0;
});

test.each([
  ["an up makes a server anew that was deleted by hand", []],
  ["a rebuild of a server that was deleted by hand needs no final sync", ["--rebuild"]],
])("%s", async (_claim, words) => {
  const before = onlyServer(scenario);
  const { cloud } = scenario.hetzner;
  cloud.servers.delete(before.id);
  for (const volume of cloud.volumes.values()) volume.server = null;
  for (const address of cloud.primary_ips.values()) address.assignee_id = null;
  const { code, stdout } = await up("--yes", ...words);
  console.log(stdout);
  expect(stdout).toMatch(/^make +machine +hcloud Server/m);
  expect(code).toBe(0);
  const after = onlyServer(scenario);
  expect([after.volumes, after.public_net.ipv4?.ip]).toEqual([before.volumes, before.public_net.ipv4?.ip]);
  expect(scenario.machines.running.has(after.id)).toBe(true);
  expect(scenario.machines.serviceCalls).toEqual([]);
});

test("a stack that does not exist is told how to be made", async () => {
  const { code, stderr } = await up("--stack", "staging");
  expect(stderr).toContain("pulumi stack init staging");
  expect(code).toBe(1);
  expect(existsSync(join(scenario.checkout.directory, "Pulumi.staging.yaml"))).toBe(false);
});
