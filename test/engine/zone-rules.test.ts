import { afterEach, beforeEach, expect, test } from "vitest";

import { type ServedCloud, serveHcloud } from "./hcloud/serve-hcloud.ts";

// The double refuses what the API refuses: otherwise the scenarios with records could be green for nothing.
let hetzner: ServedCloud;

beforeEach(async () => {
  hetzner = await serveHcloud();
  hetzner.cloud.addZone("example.com");
  hetzner.cloud.addZone("example.net", "secondary");
});
afterEach(() => hetzner[Symbol.asyncDispose]());

async function ask(call: string, body?: object): Promise<{ status: number; code: string | null }> {
  const [method = "", path = ""] = call.split(" ");
  const response = await fetch(`${hetzner.endpoint}/${path}`, {
    method,
    headers: { authorization: `Bearer ${hetzner.token}` },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  return { status: response.status, code: /"code":"(\w+)"/.exec(await response.text())?.[1] ?? null };
}

const rrset = { name: "app", type: "A", records: [{ value: "203.0.113.7" }] };
const create = (changed: object, zone = "example.com") => ask(`POST zones/${zone}/rrsets`, { ...rrset, ...changed });

test.each([
  ["a zone that is not there", "example.org", {}, "not_found"],
  ["a zone that is a copy", "example.net", {}, "incorrect_zone_mode"],
  ["a name in upper case", "example.com", { name: "App" }, "invalid_input"],
  ["no record", "example.com", { records: [] }, "invalid_input"],
  ["an A record without an IPv4 address", "example.com", { records: [{ value: "" }] }, "invalid_input"],
  ["an AAAA record with an IPv4 address", "example.com", { type: "AAAA" }, "invalid_input"],
  ["a time to live of less than a minute", "example.com", { ttl: 59 }, "invalid_input"],
])("records are refused: %s", async (_what, zone, changed, code) => {
  expect(await create(changed, zone)).toMatchObject({ code });
});

test("a name has one rrset of a type, and an alias stands alone", async () => {
  expect((await create({})).status).toBe(201);
  expect(await create({})).toMatchObject({ code: "uniqueness_error" });
  expect((await create({ type: "AAAA", records: [{ value: "2001:db8::1" }] })).status).toBe(201);
  expect(await create({ type: "CNAME", records: [{ value: "example.org." }] })).toMatchObject({
    code: "invalid_input",
  });
});

test("a protected rrset is neither changed nor deleted", async () => {
  await create({});
  const path = "zones/example.com/rrsets/app/A";
  await ask(`POST ${path}/actions/change_protection`, { change: true });
  expect(await ask(`POST ${path}/actions/set_records`, { records: rrset.records })).toMatchObject({
    code: "protected",
  });
  expect(await ask(`DELETE ${path}`)).toMatchObject({ code: "protected" });
  await ask(`POST ${path}/actions/change_protection`, { change: false });
  expect((await ask(`DELETE ${path}`)).status).toBe(201);
  expect((await ask(`GET ${path}`)).status).toBe(404);
});
