import { execFile } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";

import { afterAll, beforeAll, expect, test } from "vitest";

import { noFaults } from "./hcloud/faults.ts";
import { type Checkout, checkOut } from "./project/check-out.ts";
import {
  onlyServer,
  openScenario,
  readObject,
  readText,
  type Scenario,
  takeHetznerCalls,
  productionBucket as bucket,
} from "./project/open-scenario.ts";
import { runVerb } from "./project/run-verb.ts";
import { protect } from "./project/switch-on.ts";

// A laptop is lost, and its state with it; on another one there are a fresh clone and the keys of both clouds.
let scenario: Scenario;
let checkout: Checkout;
let firstCard: string;
const heartbeatUrl = "https://ping.example/a-secret";

beforeAll(async () => {
  scenario = await openScenario({ heartbeatUrl: { value: heartbeatUrl, secret: true } });
  await scenario.stack.up();
  firstCard = await readText(scenario, bucket, "recovery-card.txt");
  await scenario.stack.workspace.removeStack("production", { force: true });
  checkout = await checkOut(scenario);
  takeHetznerCalls(scenario);
});
afterAll(() => scenario[Symbol.asyncDispose]());

function up(words: readonly string[], environment: Record<string, string> = {}) {
  const { token, endpoint } = scenario.hetzner;
  const shell = { HCLOUD_TOKEN: token, HCLOUD_ENDPOINT: endpoint, AWS_REGION: "us-east-1", ...environment };
  return runVerb({ project: scenario, checkout }, ["up", ...words], { environment: shell });
}

function settingsFile(): string {
  return join(checkout.directory, "Pulumi.production.yaml");
}

test("a bucket that is not there, or a missing token, changes nothing", async () => {
  const absent = await up(["--adopt", "somebody-elses", "--yes"]);
  expect(absent.stderr).toContain("somebody-elses");
  const tokenless = await up(["--adopt", bucket, "--yes"], { HCLOUD_TOKEN: "" });
  expect(tokenless.stderr).toContain("HCLOUD_TOKEN");
  expect([absent.code, tokenless.code]).toEqual([1, 1]);
  expect(existsSync(settingsFile())).toBe(false);
});

test("a dry run tells of the machine that still stands, and leaves no stack behind", async () => {
  const { code, stdout, stderr } = await up(["--adopt", bucket, "--dry-run"]);
  expect(stderr).toBe("");
  expect(stdout).toMatch(/^adopt +data-fsn1 +hcloud Volume/m);
  expect(stdout).toMatch(/server \S+ \(\d+, [0-9.]+\) still stands/);
  expect(code).toBe(0);
  expect(existsSync(settingsFile())).toBe(false);
  expect(takeHetznerCalls(scenario)).toEqual([]);
});

test("an old machine that could not be bought again, or that somebody has protected, is left alone", async () => {
  scenario.hetzner.cloud.faults = { ...noFaults, soldOut: ["cx33@fsn1"] };
  const { code, stderr } = await up(["--adopt", bucket, "--yes"]);
  scenario.hetzner.cloud.faults = noFaults;
  expect(stderr).toContain("sold out in fsn1");
  await protect(scenario, true);
  const held = await up(["--adopt", bucket, "--yes"]);
  await protect(scenario, false);
  expect(held.stderr).toMatch(/somebody has protected server lifeboat-production \(\d+\) from deletion/);
  expect([code, held.code]).toEqual([1, 1]);
  expect(takeHetznerCalls(scenario)).toEqual([]);
  expect(onlyServer(scenario).status).toBe("running");
  expect(existsSync(settingsFile())).toBe(false);
});

test("an adoption shuts the old machine down, and comes back with its volume and address and a new token", async () => {
  const old = onlyServer(scenario);
  const sentinel = await readObject(scenario, bucket, "lifeboat.json");
  const { code, stdout, stderr } = await up(["--adopt", bucket, "--yes", "--admin-cidr", "127.0.0.0/30"]);
  console.log(stdout);
  expect(stderr).toBe("");
  expect(code).toBe(0);
  const calls = takeHetznerCalls(scenario);
  const [shutdown, remove] = ["POST", "DELETE"].map((method) =>
    calls.findIndex((call) => call.startsWith(`${method} servers/${old.name}`)),
  );
  expect(calls[shutdown ?? -1]).toContain("actions/shutdown");
  expect(shutdown).toBeLessThan(remove ?? -1);
  const server = onlyServer(scenario);
  expect(server.id).not.toBe(old.id);
  expect([server.volumes, server.public_net.ipv4?.ip]).toEqual([old.volumes, old.public_net.ipv4?.ip]);
  expect(await readObject(scenario, bucket, "lifeboat.json")).toEqual(sentinel);
  expect(stdout).toMatch(/token, and the only one it accepts: [0-9a-f]{64}$/m);
  expect(stdout.trimEnd().split("\n").at(-1)).toBe(`https://${server.public_net.ipv4?.ip}`);
  const settings = readFileSync(settingsFile(), "utf8");
  expect(settings).toContain("127.0.0.0/30");
  expect(settings).not.toContain("203.0.113.7/32");
  expect(settings).not.toContain(scenario.hetzner.token);
});

test("an old machine that is off already is only deleted", async () => {
  const old = onlyServer(scenario);
  old.status = "off";
  await scenario.stack.workspace.removeStack("production", { force: true });
  checkout = await checkOut(scenario);
  const [, words = ""] =
    /^ {2}npm run up -- (--adopt .*)$/m.exec(await readText(scenario, bucket, "recovery-card.txt")) ?? [];
  const sshKey = join(checkout.directory, "id.pub");
  writeFileSync(sshKey, "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ3n4ZUmYl2V2S0c0lNbN7M8cC0o7YQ3dXr8QbHqk9bN new\n");
  const given = ["--ssh-key", sshKey, "--admin-cidr", "127.0.0.0/30"];
  expect(await up([...words.split(" "), ...given, "--yes"])).toMatchObject({ code: 0, stderr: "" });
  expect(takeHetznerCalls(scenario).filter((call) => call.includes("shutdown"))).toEqual([]);
  expect(onlyServer(scenario).volumes).toEqual(old.volumes);
});

test("a stack that has its state is not adopted again", async () => {
  const { code, stderr } = await up(["--adopt", bucket, "--yes"]);
  expect(stderr).toContain("use npm run up");
  expect(code).toBe(1);
  expect(takeHetznerCalls(scenario)).toEqual([]);
});

test("with Pulumi alone the card's commands bring a machine back, after everything but the bucket is lost", async () => {
  // The first one: it has a setting that no adoption knows, since only its user does.
  const card = firstCard;
  expect(card).not.toContain(heartbeatUrl);
  const { cloud } = scenario.hetzner;
  for (const found of [cloud.servers, cloud.volumes, cloud.primary_ips, cloud.firewalls, cloud.ssh_keys]) found.clear();
  await scenario.stack.workspace.removeStack("production", { force: true });
  checkout = await checkOut(scenario);
  const commands = card.split("\n").filter((line) => line.startsWith("  pulumi "));
  expect(commands.length).toBeGreaterThan(10);
  expect(card).toContain("\n  npm run build -- --platform linux-x64 && pulumi up\n");
  // The checkout has a release; nobody is there to be asked.
  const script = [...commands, "pulumi up --yes --skip-preview --non-interactive"].join("\n");
  const { token, endpoint } = scenario.hetzner;
  const env = {
    ...process.env,
    ...scenario.shell,
    HCLOUD_TOKEN: token,
    HCLOUD_ENDPOINT: endpoint,
    HEARTBEAT_URL: heartbeatUrl,
  };
  await promisify(execFile)("/bin/sh", ["-eu", "-c", script], { cwd: checkout.directory, env });
  const server = onlyServer(scenario);
  expect(server.status).toBe("running");
  expect(scenario.machines.running.get(server.id)).toMatchObject({ heartbeatUrl });
  expect(await readObject(scenario, bucket, "recovery.json")).toMatchObject({ owner: "lifeboat/production" });
});
