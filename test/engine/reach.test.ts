import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { afterAll, beforeAll, expect, test } from "vitest";

import { type DnsDouble, serveDns } from "../scripts/up/dns-double.ts";
import type { Zone } from "./hcloud/cloud.ts";
import { onlyServer, openScenario, type Scenario, settingOf, takeHetznerCalls } from "./project/open-scenario.ts";
import { runVerb } from "./project/run-verb.ts";

// A machine gets its own IPv6 address, a name, and a zone. Every test goes on where the one before it ended.
let scenario: Scenario;
let dns: DnsDouble;
let zone: Zone;

beforeAll(async () => {
  scenario = await openScenario();
  dns = await serveDns();
  zone = scenario.hetzner.cloud.addZone("example.com");
});
afterAll(async () => {
  await dns[Symbol.asyncDispose]();
  await scenario[Symbol.asyncDispose]();
});

function run(...words: ["up" | "down", ...string[]]) {
  const environment = { LIFEBOAT_DNS_SERVERS: dns.server };
  return runVerb({ project: scenario, checkout: scenario.checkout }, words, { environment });
}

async function set(name: string, value: string): Promise<void> {
  await scenario.stack.setConfig(name, { value });
}

const edgeOf = () => scenario.machines.running.get(onlyServer(scenario).id)?.edge ?? {};
const firstOf = (network: string | undefined) => network?.replace("/64", "1");
const listRecords = () =>
  [...zone.rrsets.values()].map(({ id, records }) => `${id} ${records.map(({ value }) => value).join(" ")}`).toSorted();

/** Edits the program as it is shipped, and returns what undoes it. */
async function edit(path: string, changes: readonly (readonly [string, string])[]): Promise<() => Promise<void>> {
  const file = join(scenario.checkout.directory, path);
  const shipped = await readFile(file, "utf8");
  for (const [text] of changes) expect(shipped).toContain(text);
  await writeFile(
    file,
    changes.reduce((edited, [text, other]) => edited.replace(text, other), shipped),
  );
  return () => writeFile(file, shipped);
}

test("a server of the program before, without an IPv6 address of its own, is left as it is", async () => {
  const before = "ipv6: address.ipv6Id.apply(Number),";
  const restore = await edit("infra/components/machine.ts", [
    [before, ""],
    ['"publicNets", ', ""],
  ]);
  await scenario.stack.up();
  await restore();
  const server = structuredClone(onlyServer(scenario));
  expect(server.public_net.ipv6?.ip).not.toBe(reservedNetwork());
  takeHetznerCalls(scenario);
  const { stdout } = await scenario.stack.preview();
  expect(stdout).not.toMatch(/hcloud:index:Server/);
  await scenario.stack.up();
  expect(onlyServer(scenario)).toEqual(server);
  expect(takeHetznerCalls(scenario)).toEqual([]);
  // What it is told, and what DNS would be, is the address that it has.
  expect(edgeOf()).toMatchObject({ LIFEBOAT_DOMAIN: "ip", LIFEBOAT_IPV6: firstOf(server.public_net.ipv6?.ip) });
});

test("its successor has the reserved one, and keeps it", async () => {
  expect(await run("up", "--rebuild", "--yes")).toMatchObject({ code: 0, stderr: "" });
  const server = onlyServer(scenario);
  expect(server.public_net.ipv6?.ip).toBe(reservedNetwork());
  expect(settingOf(server, "LIFEBOAT_IPV6")).toBe(firstOf(reservedNetwork()));
  expect(edgeOf()).toMatchObject({ LIFEBOAT_IPV6: firstOf(reservedNetwork()) });
  const { summary } = await scenario.stack.up();
  expect(Object.keys(summary.resourceChanges ?? {})).toEqual(["same"]);
});

test("a name without a zone: up prints the records, names the wrong ones, and succeeds", async () => {
  await set("domain", "app.example.com");
  dns.records.set("app.example.com", ["198.51.100.1"]);
  const { code, stdout, stderr } = await run("up", "--yes");
  console.log(stdout);
  expect(stderr).toBe("");
  expect(code).toBe(0);
  const { ip, ipv6 } = addresses();
  expect(stdout).toMatch(new RegExp(`^A +app\\.example\\.com +${ip} +wrong: 198\\.51\\.100\\.1$`, "m"));
  expect(stdout).toMatch(new RegExp(`^AAAA +app\\.example\\.com +${ipv6} +missing; works without$`, "m"));
  expect(stdout).toContain(`serves as soon as DNS is right, without another up; until then: https://${ip}`);
  expect(stdout.trimEnd().split("\n").at(-1)).toBe("https://app.example.com");
  expect(edgeOf()).toMatchObject({ LIFEBOAT_DOMAIN: "app.example.com", LIFEBOAT_WWW: "false" });
  expect(listRecords()).toEqual([]);
});

test("when DNS is right, up says that the name serves", async () => {
  const { ip, ipv6 } = addresses();
  dns.records.set("app.example.com", [ip, ipv6]);
  const { code, stdout } = await run("up", "--yes");
  expect(stdout).toMatch(
    /^\[PASS\] https:\/\/app\.example\.com\/ready from here +[0-9.]+ s +DNS and certificate are right$/m,
  );
  expect(stdout).not.toContain("DNS is not right");
  expect(code).toBe(0);
});

test("a zone that is not ours, a copy of another, or one with records of somebody else is told in the plan", async () => {
  await set("dnsZone", "example.com");
  takeHetznerCalls(scenario);
  zone.name = "example.org";
  const absent = await run("up", "--yes");
  zone.name = "example.com";
  zone.mode = "secondary";
  const copy = await run("up", "--yes");
  zone.mode = "primary";
  await createRecord("app", "203.0.113.99");
  const foreign = await run("up", "--yes");
  zone.rrsets.clear();
  expect(absent.stderr).toMatch(/dnsZone: no zone example\.com in the Hetzner project.*pulumi config rm dnsZone/);
  expect(copy.stderr).toMatch(/zone example\.com is a secondary one/);
  expect(foreign.stderr).toMatch(/records of somebody else where this stack's would go: A app \(203\.0\.113\.99\)/);
  expect([absent.code, copy.code, foreign.code]).toEqual([1, 1, 1]);
  expect(takeHetznerCalls(scenario).filter((call) => !call.startsWith("POST zones/example.com/rrsets"))).toEqual([]);
});

test("with a zone the records are made, with www, and stay as they are", async () => {
  await set("www", "true");
  const { code, stdout, stderr } = await run("up", "--yes");
  expect(stderr).toBe("");
  expect(code).toBe(0);
  const { ip, ipv6 } = addresses();
  expect(listRecords()).toEqual([`app/A ${ip}`, `app/AAAA ${ipv6}`, `www.app/A ${ip}`, `www.app/AAAA ${ipv6}`]);
  // The double of DNS knows nothing of the zone.
  expect(stdout).toMatch(/^A +www\.app\.example\.com .*missing$/m);
  expect(stdout).toContain("registrar");
  const { summary } = await scenario.stack.up({ refresh: true });
  expect(Object.keys(summary.resourceChanges ?? {})).toEqual(["same"]);
});

test("a rebuild changes no record", async () => {
  const before = listRecords();
  takeHetznerCalls(scenario);
  expect((await run("up", "--rebuild", "--yes")).code).toBe(0);
  expect(listRecords()).toEqual(before);
  expect(takeHetznerCalls(scenario).filter((call) => call.includes("zones"))).toEqual([]);
});

test("a down keeps both addresses and says what they cost; the next up takes them", async () => {
  const { ip, ipv6 } = addresses();
  const { code, stdout, stderr } = await run("down", "--yes");
  expect(stderr).toBe("");
  expect(code).toBe(0);
  expect(stdout).toContain(`address ${ip} stays reserved in fsn1 (0.50 EUR a month)`);
  expect(stdout).toMatch(/^address 2001:db8:\S+:: stays reserved in fsn1 \(free\)$/m);
  expect(listRecords()).toEqual([]);
  expect(scenario.hetzner.cloud.primary_ips.size).toBe(2);
  expect((await run("up", "--yes")).code).toBe(0);
  expect(addresses()).toEqual({ ip, ipv6 });
  expect(scenario.hetzner.cloud.primary_ips.size).toBe(2);
});

test("with keepAddress false a down gives them back", async () => {
  await set("keepAddress", "false");
  expect((await run("up", "--yes")).code).toBe(0);
  const { code, stdout } = await run("down", "--yes");
  expect(stdout).not.toContain("stays reserved");
  expect(code).toBe(0);
  expect(scenario.hetzner.cloud.primary_ips.size).toBe(0);
});

function reservedNetwork(): string | undefined {
  return [...scenario.hetzner.cloud.primary_ips.values()].find(({ name }) => name === "lifeboat-production-fsn1-ipv6")
    ?.ip;
}

function addresses(): { ip: string; ipv6: string } {
  const { ipv4, ipv6 } = onlyServer(scenario).public_net;
  return { ip: ipv4?.ip ?? "", ipv6: firstOf(ipv6?.ip) ?? "" };
}

async function createRecord(name: string, value: string): Promise<void> {
  const { endpoint, token } = scenario.hetzner;
  const answer = await fetch(`${endpoint}/zones/example.com/rrsets`, {
    method: "POST",
    headers: { authorization: `Bearer ${token}` },
    body: JSON.stringify({ name, type: "A", records: [{ value }] }),
  });
  expect(answer.status).toBe(201);
}
