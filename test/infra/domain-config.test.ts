import * as pulumi from "@pulumi/pulumi";
import { beforeEach, expect, test } from "vitest";

import { readConfig } from "../../infra/config/config.ts";

const good = {
  "hcloud:token": "t".repeat(64),
  "aws:region": "eu-central-1",
  "lifeboat:adminCidrs": '["203.0.113.7/32"]',
  "lifeboat:sshKeys": '["laptop"]',
  "lifeboat:apiTokens": "a".repeat(24),
};

beforeEach(async () => {
  await pulumi.runtime.setMocks({ newResource: () => ({ id: "", state: {} }), call: () => ({}) }, "lifeboat", "test");
});

function read(settings: Record<string, string>) {
  const named = Object.entries(settings).map(([name, value]) => [`lifeboat:${name}`, value]);
  pulumi.runtime.setAllConfig({ ...good, ...Object.fromEntries(named) });
  return readConfig();
}

test("without a word of it a machine serves under its address, which is kept", () => {
  expect(read({})).toMatchObject({ domain: "ip", www: false, keepAddress: true });
});

test.each([
  { domain: "none" },
  { domain: "app.example.com", www: "true", dnsZone: "example.com" },
  { domain: "example.com", dnsZone: "example.com" },
  { domain: "xn--bcher-kva.example", acmeDirectory: "https://acme.example:14000/dir" },
  { domain: "a-1.b.co.uk", dnsZone: "b.co.uk", keepAddress: "false" },
])("%o is taken", (settings) => {
  expect(read(settings)).toMatchObject({ domain: settings.domain });
});

test.each([
  [{ domain: "203.0.113.7" }, /domain must be a name, not an address \(got 203\.0\.113\.7\).*leave it at ip/],
  [{ domain: "[2001:db8::1]" }, /domain must be a name, not an address/],
  [{ domain: "https://app.example.com/" }, /without https:\/\/, port or path .*: app\.example\.com$/m],
  [{ domain: "app.example.com:8443" }, /without https:\/\/, port or path .*: app\.example\.com$/m],
  [{ domain: "app.example.com/shop" }, /port or path .*: app\.example\.com$/m],
  [{ domain: "App.Example.com" }, /lower case.*: app\.example\.com$/m],
  [{ domain: "app.example.com." }, /without a dot at its end.*: app\.example\.com$/m],
  [{ domain: "bücher.example" }, /punycode \(got bücher\.example\): xn--bcher-kva\.example$/m],
  [{ domain: "*.example.com" }, /not a wildcard/],
  [{ domain: "localhost" }, /such as app\.example\.com \(got localhost\)/],
  [{ domain: "-app.example.com" }, /such as app\.example\.com/],
  [{ domain: "app..example.com" }, /such as app\.example\.com/],
  [{ domain: "it's.example.com" }, /such as app\.example\.com/],
  [{ domain: `${"a".repeat(64)}.example.com` }, /such as app\.example\.com/],
  [{ domain: "app.example.1" }, /such as app\.example\.com/],
  [{ www: "true" }, /www needs a host name as domain \(domain is ip\)/],
  [{ domain: "www.example.com", www: "true" }, /www would make www\.www\.example\.com: set domain to example\.com/],
  [{ dnsZone: "example.com" }, /dnsZone needs a host name/],
  [{ domain: "app.example.com", dnsZone: "example.org" }, /dnsZone example\.org does not hold app\.example\.com/],
  [{ domain: "notexample.com", dnsZone: "example.com" }, /does not hold/],
  [{ domain: "app.example.com", dnsZone: "Example.com" }, /dnsZone must be in lower case/],
  [{ acmeDirectory: "http://acme.example/directory" }, /acmeDirectory must be the https:\/\/ URL/],
  [{ acmeDirectory: "https://acme.example" }, /acmeDirectory must be the https:\/\/ URL/],
  [{ domain: "none", adminCidrs: "[]" }, /adminCidrs is missing: with domain none nobody else reaches the machine/],
])("%o is told", (settings, fault) => {
  expect(() => read(settings)).toThrow(fault);
});

test("all faults are told together", () => {
  const settings = { domain: "https://app.example.com", www: "perhaps", dnsZone: "a zone", acmeDirectory: "x" };
  for (const name of ["domain", "www", "dnsZone", "acmeDirectory"])
    expect(() => read(settings)).toThrow(new RegExp(`^ {2}${name} must be`, "m"));
});

test("networks of administrators may be left out, or be an empty list, when the world is let in", () => {
  expect(read({ adminCidrs: "[]" }).adminCidrs).toEqual([]);
  expect(read({ adminCidrs: "" }).adminCidrs).toEqual([]);
});
