import { writeFileSync } from "node:fs";
import { join } from "node:path";

import { afterAll, beforeAll, expect, test } from "vitest";

import { runCommand } from "../../scripts/build/run-command.ts";
import { findObstacle } from "../../scripts/virtual/find-obstacle.ts";
import { checkOut } from "../engine/project/check-out.ts";
import { type LocalCloud, localBucket, openLocalCloud } from "../engine/project/open-local-cloud.ts";
import { listKeys, onlyServer, readText } from "../engine/project/open-scenario.ts";
import { apiToken } from "../engine/project/open-stack.ts";
import { runVerb, type VerbRun } from "../engine/project/run-verb.ts";

// The whole life of a stack on real machines, from the first `up` to the deletion of its data. Every test goes on where
// the one before it ended, and counts the rows.
const missing = findObstacle({ suite: "trixie", servers: 1, memoryMb: 1024 });
const cloudTest = test.skipIf(missing !== null);
if (missing !== null) console.warn(`no local cloud: ${missing}`);
const timeout = 900_000;

let cloud: LocalCloud;
let token = apiToken;
let rows = 0;
let checkout: LocalCloud["checkout"];

beforeAll(async () => {
  if (missing !== null) return;
  cloud = await openLocalCloud();
  checkout = cloud.checkout;
}, timeout);
afterAll(() => cloud?.[Symbol.asyncDispose](), timeout);

type Words = Parameters<typeof runVerb>[1];

async function run(...words: Words): Promise<VerbRun> {
  const done = await runVerb({ project: cloud, checkout }, words, { buildsRelease: true, limitMs: timeout });
  if (done.code !== 0) console.error(`${done.stdout}\n${done.stderr}\n${lastWordsOf(cloud)}`);
  return done;
}

function lastWordsOf({ hetzner, servers }: LocalCloud): string {
  const consoles = [...hetzner.cloud.servers.values()].map((server) => servers.demand(server).readConsole());
  return consoles.map((text) => text.split("\n").slice(-30).join("\n")).join("\n---\n");
}

const url = () => `https://${onlyServer(cloud).public_net.ipv4?.ip}`;

/** A real curl, which trusts the authority of this cloud and nobody else. */
async function ask(path: string, ...words: string[]): Promise<unknown> {
  const root = cloud.shell["CURL_CA_BUNDLE"] ?? "";
  const auth = ["--header", `Authorization: Bearer ${token}`];
  const common = ["--silent", "--show-error", "--fail-with-body", "--max-time", "60", "--cacert", root, ...auth];
  return JSON.parse(await runCommand("curl", [...common, ...words, `${url()}${path}`], { timeoutMs: 90_000 }));
}

/** Writes two rows that are in the bucket when it returns. */
async function write(): Promise<void> {
  for (let count = 0; count < 2; count += 1) {
    rows += 1;
    const body = JSON.stringify({ name: `Customer ${rows}`, email: `customer-${rows}@example.test` });
    const json = ["--header", "Content-Type: application/json", "--header", "Durability: bucket", "--data", body];
    await ask("/customers", ...json);
  }
}

async function countRows(): Promise<number> {
  const { items } = Object(await ask("/customers?limit=100"));
  return items.length;
}

cloudTest("the first up ends in an HTTPS URL that answers", { timeout }, async () => {
  const { code, stdout, stderr } = await run("up", "--yes");
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(stdout.trim().split("\n").at(-1)).toBe(url());
  await write();
  expect(await countRows()).toBe(rows);
});

cloudTest("a deploy brings a new release to the running machine", { timeout }, async () => {
  const { id } = onlyServer(cloud);
  writeFileSync(join(checkout.directory, "app", "service", "new-file.ts"), "export {};\n");
  writeFileSync(join(checkout.directory, "cloud-init", "release", "NEWS"), "a new release\n");
  const { code, stdout, stderr } = await run("deploy");
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(stdout).toMatch(/^serving [0-9a-f]{12}, before [0-9a-f]{12}/m);
  expect(onlyServer(cloud).id).toBe(id);
  await write();
  expect(await countRows()).toBe(rows);
});

cloudTest(
  "a rebuild makes another machine with the same volume and the same rows, and needs no new certificate",
  { timeout },
  async () => {
    const { id, volumes } = onlyServer(cloud);
    // One for each IPv4 address: nobody reaches the others here.
    expect(cloud.acme.countCertificates()).toBe(1);
    expect(await run("up", "--yes", "--no-build", "--rebuild")).toMatchObject({ code: 0, stderr: "" });
    expect(onlyServer(cloud).id).not.toBe(id);
    expect(onlyServer(cloud).volumes).toEqual(volumes);
    expect(await countRows()).toBe(rows);
    expect(cloud.acme.countCertificates()).toBe(1);
    await write();
  },
);

cloudTest("another location has another volume and address, and every row out of the bucket", { timeout }, async () => {
  const { volumes } = onlyServer(cloud);
  const { code, stderr } = await run("up", "--yes", "--no-build", "--location", "nbg1");
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(onlyServer(cloud).location.name).toBe("nbg1");
  expect(onlyServer(cloud).volumes).not.toEqual(volumes);
  expect(await countRows()).toBe(rows);
  await write();
});

cloudTest("a down takes the machine away, and the next up has the data", { timeout }, async () => {
  expect(await run("down", "--yes")).toMatchObject({ code: 0, stderr: "" });
  expect(cloud.hetzner.cloud.servers.size).toBe(0);
  expect(await run("up", "--yes", "--no-build")).toMatchObject({ code: 0, stderr: "" });
  expect(await countRows()).toBe(rows);
  await write();
});

cloudTest("the state is lost, and the stack comes back from its bucket with a new token", { timeout }, async () => {
  const card = await readText(cloud, localBucket, "recovery-card.txt");
  const [, words = ""] = /^ {2}npm run up -- (--adopt .*)$/m.exec(card) ?? [];
  await cloud.stack.workspace.removeStack("production", { force: true });
  checkout = await checkOut(cloud);
  const { code, stdout, stderr } = await run("up", ...words.split(" "), "--yes");
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  token = /the only one it accepts: (\S+)/.exec(stdout)?.[1] ?? "";
  expect(await countRows()).toBe(rows);
});

cloudTest("a deletion of the data leaves nothing: no server, no volume, no object", { timeout }, async () => {
  const { code, stderr } = await run("down", "--delete-data", "--bucket-name", localBucket, "--yes");
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(cloud.hetzner.cloud.servers.size + cloud.hetzner.cloud.volumes.size).toBe(0);
  expect(await listKeys(cloud, localBucket)).toEqual([]);
});
