import { afterEach, beforeEach, expect, test } from "vitest";

import { checkDns, renderRecords } from "../../../scripts/up/check-dns.ts";
import { type DnsDouble, serveDns } from "./dns-double.ts";

const wanted = { name: "app.example.com", ipv4: "203.0.113.7", ipv6: "2001:db8:9::1" };
let dns: DnsDouble;
beforeEach(async () => {
  dns = await serveDns();
});
afterEach(() => dns[Symbol.asyncDispose]());

async function look(addresses: readonly string[] | null | undefined, ipv6 = wanted.ipv6) {
  if (addresses !== undefined) dns.records.set(wanted.name, addresses);
  return checkDns([{ ...wanted, ipv6 }], [dns.server]);
}

const rightOf = (checks: Awaited<ReturnType<typeof look>>) => checks.map(({ isRight }) => isRight);

test("records that lead to the machine and nowhere else are right", async () => {
  const checks = await look(["203.0.113.7", "2001:db8:9::1"]);
  expect(rightOf(checks)).toEqual([true, true]);
  expect(renderRecords(checks)).toMatch(/^A +app\.example\.com +203\.0\.113\.7 +right$/m);
});

test("a name that does not exist lacks its A record; without AAAA it works", async () => {
  const checks = await look(undefined);
  expect(rightOf(checks)).toEqual([false, true]);
  expect(renderRecords(checks)).toBe(
    [
      "TYPE  NAME             VALUE          NOW",
      "A     app.example.com  203.0.113.7    missing",
      "AAAA  app.example.com  2001:db8:9::1  missing; works without",
    ].join("\n"),
  );
});

test("an address of somebody else is named, also beside the right one", async () => {
  const elsewhere = await look(["198.51.100.1", "2001:db8::5"]);
  expect(rightOf(elsewhere)).toEqual([false, false]);
  expect(renderRecords(elsewhere)).toMatch(/^AAAA .* wrong: 2001:db8::5$/m);
  const beside = await look(["203.0.113.7", "198.51.100.1", "2001:db8:9::1"]);
  expect(rightOf(beside)).toEqual([false, true]);
  expect(renderRecords(beside)).toMatch(/^A .* wrong: 198\.51\.100\.1$/m);
});

test("a machine without IPv6 must have no AAAA record, for the authority would ask that address first", async () => {
  expect(rightOf(await look(["203.0.113.7"], ""))).toEqual([true, true]);
  const checks = await look(["203.0.113.7", "2001:db8::5"], "");
  expect(rightOf(checks)).toEqual([true, false]);
  expect(renderRecords(checks)).toMatch(/^AAAA +app\.example\.com +\(none\) +wrong: 2001:db8::5$/m);
});

test("a name server that fails is not one that says there is nothing", async () => {
  const checks = await look(null);
  expect(rightOf(checks)).toEqual([false, false]);
  expect(renderRecords(checks)).toContain("cannot be asked (ESERVFAIL)");
});

test("another spelling of an IPv6 address is the same address", async () => {
  expect(rightOf(await look(["203.0.113.7", "2001:db8:9::1"], "2001:0DB8:9:0:0:0:0:1"))).toEqual([true, true]);
});
