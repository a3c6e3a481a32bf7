import { expect, test } from "vitest";

import { findDnsFault } from "../../app/edge/check-dns.ts";

const name = "app.example.com";
const addresses = ["203.0.113.7", "2001:db8::1"];
type Records = { a?: string[] | Error; aaaa?: string[] | Error };

const failed = (code: string) => Object.assign(new Error(code), { code });

function find({ a = [], aaaa = [] }: Records, own: readonly string[] = addresses): Promise<string | null> {
  const answer = async (records: string[] | Error) => {
    if (records instanceof Error) throw records;
    return records;
  };
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the resolver's other forms are not called
  const resolver = { resolve4: () => answer(a), resolve6: () => answer(aaaa) } as unknown as Parameters<
    typeof findDnsFault
  >[2];
  return findDnsFault(name, own, resolver);
}

test.each<[string, Records, string[], string | null]>([
  ["both are right", { a: ["203.0.113.7"], aaaa: ["2001:db8:0::0001"] }, addresses, null],
  ["there is no AAAA", { a: ["203.0.113.7"], aaaa: failed("ENODATA") }, addresses, null],
  [
    "there is no such name",
    { a: failed("ENOTFOUND"), aaaa: failed("ENOTFOUND") },
    addresses,
    "the A record of app.example.com must be 203.0.113.7 (there is none)",
  ],
  [
    "A leads elsewhere",
    { a: ["192.0.2.1"] },
    addresses,
    "the A record of app.example.com must be 203.0.113.7 (it is 192.0.2.1)",
  ],
  [
    "A leads here and elsewhere",
    { a: ["203.0.113.7", "192.0.2.1"] },
    addresses,
    "the A record of app.example.com must be 203.0.113.7 (it is 192.0.2.1, 203.0.113.7)",
  ],
  [
    "AAAA leads elsewhere",
    { a: ["203.0.113.7"], aaaa: ["2001:db8::2"] },
    addresses,
    "the AAAA record of app.example.com must be 2001:db8::1 (it is 2001:db8::2)",
  ],
  [
    "AAAA, and the machine has no IPv6",
    { a: ["203.0.113.7"], aaaa: ["2001:db8::2"] },
    ["203.0.113.7"],
    "app.example.com has an AAAA record, 2001:db8::2, and this machine has no IPv6 address: remove it",
  ],
  [
    "the name server is away",
    { a: failed("ETIMEOUT") },
    addresses,
    "the records of app.example.com cannot be read (ETIMEOUT)",
  ],
])("%s", async (_what, records, own, fault) => {
  expect(await find(records, own)).toBe(fault);
});
