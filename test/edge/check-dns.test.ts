import { expect, test } from "vitest";

import { findDnsFault } from "../../app/edge/check-dns.ts";

const name = "app.example.com";
const here = ["203.0.113.7", "2001:db8::1"];

function records(a: string[] | string, aaaa: string[] | string): Parameters<typeof findDnsFault>[2] {
  return { resolve4: () => answer(a), resolve6: () => answer(aaaa) };
}

async function answer(found: string[] | string): Promise<string[]> {
  if (typeof found === "string") throw Object.assign(new Error(`query ${found}`), { code: found });
  return found;
}

test.each([
  [["203.0.113.7"], ["2001:db8:0:0::1"]],
  [["203.0.113.7"], "ENODATA"],
])("records %j and %j lead here", async (a, aaaa) => {
  expect(await findDnsFault(name, here, records(a, aaaa))).toBe(null);
});

test.each([
  ["ENOTFOUND", "ENOTFOUND", "the A record of app.example.com must be 203.0.113.7 (there is none)"],
  [["192.0.2.1"], "ENODATA", "must be 203.0.113.7 (it is 192.0.2.1)"],
  [["203.0.113.7", "192.0.2.1"], "ENODATA", "(it is 192.0.2.1, 203.0.113.7)"],
  [["203.0.113.7"], ["2001:db8::2"], "the AAAA record of app.example.com must be 2001:db8::1 (it is 2001:db8::2)"],
  ["ETIMEOUT", "ENODATA", "cannot be read (query ETIMEOUT)"],
])("records %j and %j do not, and the words say why", async (a, aaaa, words) => {
  expect(await findDnsFault(name, here, records(a, aaaa))).toContain(words);
});

test("an AAAA record on a machine without IPv6 is to be removed", async () => {
  const fault = await findDnsFault(name, ["203.0.113.7"], records(["203.0.113.7"], ["2001:db8::2"]));
  expect(fault).toContain("has no IPv6 address: remove it");
});
