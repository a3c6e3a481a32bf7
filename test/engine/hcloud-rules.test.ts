import { Type } from "typebox";
import { Value } from "typebox/value";
import { afterEach, beforeEach, expect, test } from "vitest";

import { waitFor } from "../../app/cli/wait-for.ts";
import { noFaults } from "./hcloud/faults.ts";
import { type ServedCloud, serveHcloud } from "./hcloud/serve-hcloud.ts";

// The double refuses what the API refuses: otherwise every scenario above it could be green for nothing.
let hetzner: ServedCloud;

beforeEach(async () => {
  hetzner = await serveHcloud();
});
afterEach(() => hetzner[Symbol.asyncDispose]());

type Answer = Readonly<{ status: number; code: string | null; id: number }>;

async function ask(call: string, body?: object, token = hetzner.token): Promise<Answer> {
  const [method = "", path = ""] = call.split(" ");
  const response = await fetch(`${hetzner.endpoint}/${path}`, {
    method,
    headers: { authorization: `Bearer ${token}` },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  const answer: unknown = text === "" ? {} : JSON.parse(text);
  const code = /"code":"(\w+)"/.exec(text)?.[1] ?? null;
  const id = Number(/"id":(\d+)/.exec(JSON.stringify(answer))?.[1] ?? 0);
  return { status: response.status, code: response.ok ? null : code, id };
}

async function read(path: string): Promise<unknown> {
  const response = await fetch(`${hetzner.endpoint}/${path}`, {
    headers: { authorization: `Bearer ${hetzner.token}` },
  });
  return response.json();
}

const Things = Type.Record(Type.String(), Type.Unknown());
const Ids = Type.Array(Type.Object({ id: Type.Number() }));
const ServerTypes = Type.Object({
  server_types: Type.Array(
    Type.Object({ locations: Type.Array(Type.Object({ name: Type.String(), available: Type.Boolean() })) }),
  ),
});

async function listIds(path: string): Promise<number[]> {
  const things = Value.Parse(Things, await read(path))[path.split("?")[0] ?? ""];
  return Value.Parse(Ids, things).map(({ id }) => id);
}

async function listAvailable(type: string): Promise<string[]> {
  const { server_types } = Value.Parse(ServerTypes, await read(`server_types?name=${type}`));
  const places = server_types.flatMap(({ locations }) => locations);
  return places.filter(({ available }) => available).map(({ name }) => name);
}

/** Asks again while the API says that an action is still running. */
async function askWhenUnlocked(call: string, body?: object): Promise<Answer> {
  return waitFor(call, async () => unlessLocked(await ask(call, body)), { timeoutMs: 5000 });
}

/** A deletion is an action too, and answered before it is done. */
async function waitUntilGone(id: number): Promise<void> {
  const isGone = async () => ((await ask(`GET servers/${id}`)).status === 404 ? true : null);
  await waitFor("the deletion", isGone, { timeoutMs: 5000 });
}

function unlessLocked(answer: Answer): Answer | null {
  return answer.code === "locked" ? null : answer;
}

const server = { name: "app", server_type: "cx33", image: "debian-12", location: "fsn1" };
const volume = { name: "data", size: 10 };

test("every request needs the right token", async () => {
  expect(await ask("GET servers", undefined, "w".repeat(64))).toMatchObject({ status: 401, code: "unauthorized" });
});

test("a name is given once in a project", async () => {
  expect(await ask("POST servers", server)).toMatchObject({ status: 201 });
  expect(await ask("POST servers", server)).toMatchObject({ status: 409, code: "uniqueness_error" });
});

test("a public SSH key is given once in a project, under whatever name", async () => {
  const publicKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ3n4ZUmYl2V2S0c0lNbN7M8cC0o7YQ3dXr8QbHqk9bM";
  expect(await ask("POST ssh_keys", { name: "one", public_key: publicKey })).toMatchObject({ status: 201 });
  const again = await ask("POST ssh_keys", { name: "other", public_key: `${publicKey} a comment` });
  expect(again).toMatchObject({ status: 409, code: "uniqueness_error" });
});

test.each([
  ["a server without an image", "POST servers", { name: "app", server_type: "cx33" }],
  ["an unknown server type", "POST servers", { ...server, server_type: "cx99" }],
  ["user-data of more than 32 KiB", "POST servers", { ...server, user_data: "x".repeat(32 * 1024 + 1) }],
  ["a volume nowhere", "POST volumes", volume],
  ["a volume of less than 10 GB", "POST volumes", { ...volume, size: 9, location: "fsn1" }],
  ["a volume with btrfs", "POST volumes", { ...volume, location: "fsn1", format: "btrfs" }],
  ["an address nowhere", "POST primary_ips", { name: "ip", type: "ipv4" }],
  [
    "a rule without addresses",
    "POST firewalls",
    { name: "fw", rules: [{ direction: "in", protocol: "tcp", port: "22" }] },
  ],
])("%s is invalid input", async (_what, call, body) => {
  expect(await ask(call, body)).toMatchObject({ status: 422, code: "invalid_input" });
});

test("a volume takes a server or a location, never both, and the server's location is its own", async () => {
  const { id } = await ask("POST servers", { ...server, location: "hel1" });
  const both = await ask("POST volumes", { ...volume, server: id, location: "hel1" });
  expect(both).toMatchObject({ status: 422, code: "invalid_input" });
  expect(await askWhenUnlocked("POST volumes", { ...volume, server: id })).toMatchObject({ status: 201 });
  expect([...hetzner.cloud.volumes.values()].map(({ location }) => location.name)).toEqual(["hel1"]);
});

test("the catalogue tells what is sold out where, and the call that needs it refuses; what sells out meanwhile only the call tells", async () => {
  hetzner.cloud.faults = { ...noFaults, soldOut: ["cx33@fsn1", "cax21"], soldOutMeanwhile: ["ccx23"] };
  expect(await listAvailable("cx33")).toEqual(["nbg1", "hel1"]);
  expect(await listAvailable("cax21")).toEqual([]);
  expect(await listAvailable("ccx23")).toContain("fsn1");
  for (const server_type of ["cx33", "cax21", "ccx23"]) {
    const refused = await ask("POST servers", { ...server, server_type });
    expect(refused).toMatchObject({ status: 412, code: "resource_unavailable" });
  }
  expect(await ask("POST servers", { ...server, location: "hel1" })).toMatchObject({ status: 201 });
});

test("labels and fingerprints select", async () => {
  const production = { lifeboat: "production", bucket: "boats" };
  const { id } = await ask("POST servers", { ...server, labels: production });
  await ask("POST servers", { ...server, name: "other", labels: { ...production, lifeboat: "staging" } });
  expect(await listIds("servers?label_selector=lifeboat=production,bucket=boats")).toEqual([id]);
  expect(await listIds("servers?label_selector=lifeboat=none")).toEqual([]);
  const key = await ask("POST ssh_keys", { name: "one", public_key: "ssh-ed25519 b25lIGtleQ== me" });
  await ask("POST ssh_keys", { name: "two", public_key: "ssh-ed25519 b3RoZXIga2V5 me" });
  const fingerprint = hetzner.cloud.ssh_keys.get(key.id)?.fingerprint ?? "";
  expect(await listIds(`ssh_keys?fingerprint=${encodeURIComponent(fingerprint)}`)).toEqual([key.id]);
});

test("a resource is locked while an action works on it", async () => {
  const { id } = await ask("POST servers", server);
  expect(await ask(`DELETE servers/${id}`)).toMatchObject({ status: 423, code: "locked" });
  expect(await askWhenUnlocked(`DELETE servers/${id}`)).toMatchObject({ status: 200 });
});

test("an attached or protected volume is not deleted, and deleting the server detaches it", async () => {
  const { id: serverId } = await ask("POST servers", server);
  const { id } = await askWhenUnlocked("POST volumes", { ...volume, server: serverId });
  expect(await askWhenUnlocked(`DELETE volumes/${id}`)).toMatchObject({ code: "resource_in_use" });
  await askWhenUnlocked(`DELETE servers/${serverId}`);
  await waitUntilGone(serverId);
  await askWhenUnlocked(`POST volumes/${id}/actions/change_protection`, { delete: true });
  expect(await askWhenUnlocked(`DELETE volumes/${id}`)).toMatchObject({ code: "protected" });
});

test("delete and rebuild protection of a server are one, and hold", async () => {
  const { id } = await ask("POST servers", server);
  const protect = (body: object) => askWhenUnlocked(`POST servers/${id}/actions/change_protection`, body);
  expect(await protect({ delete: true, rebuild: false })).toMatchObject({ status: 422, code: "invalid_input" });
  await protect({ delete: true, rebuild: true });
  expect(await askWhenUnlocked(`DELETE servers/${id}`)).toMatchObject({ status: 423, code: "protected" });
});

test("an address stays when its server goes, and belongs to one server at a time", async () => {
  const { id } = await ask("POST primary_ips", { name: "ip", type: "ipv4", location: "fsn1" });
  const withAddress = { ...server, public_net: { enable_ipv4: true, enable_ipv6: false, ipv4: id } };
  const { id: serverId } = await ask("POST servers", withAddress);
  expect(await ask("POST servers", { ...withAddress, name: "other" })).toMatchObject({ code: "primary_ip_assigned" });
  expect(await ask(`DELETE primary_ips/${id}`)).toMatchObject({ code: "must_be_unassigned" });
  await askWhenUnlocked(`DELETE servers/${serverId}`);
  await waitUntilGone(serverId);
  expect(hetzner.cloud.primary_ips.get(id)?.assignee_id).toBeNull();
});
