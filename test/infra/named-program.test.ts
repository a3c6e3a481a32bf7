import { beforeAll, expect, test, vi } from "vitest";

import { type LoadedProgram, loadProgram, settings } from "./load-program.ts";
import { valueOf } from "./value-of.ts";

vi.mock("../../infra/components/read-release.ts", () => ({
  readRelease: () => ({ sha256: "ab".repeat(32), path: import.meta.filename }),
}));

const labels = { lifeboat: "lifeboat-test", bucket: "boats" };
const mine = { name: "app", type: "A", labels, records: [{ value: "203.0.113.9" }] };
const strangers = { name: "mail", type: "A", labels: {}, records: [{ value: "198.51.100.1" }] };
let program: LoadedProgram;
beforeAll(async () => {
  program = await loadProgram({
    config: {
      ...settings,
      "lifeboat:bucket": "boats",
      "lifeboat:domain": "app.example.com",
      "lifeboat:www": "true",
      "lifeboat:dnsZone": "example.com",
      "lifeboat:keepAddress": "false",
      "lifeboat:adminCidrs": "[]",
      "lifeboat:acmeDirectory": "https://acme.example/directory",
    },
    bucketExists: true,
    zone: { name: "example.com", mode: "primary", rrsets: [mine, strangers] },
  });
});

test("the name and its www have a record for each address of the machine, and nothing else is touched", () => {
  const records = program.resources.filter(({ type }) => type === "hcloud:index/zoneRrset:ZoneRrset");
  const lines = records.map(({ name, inputs: { zone, name: relative, type, records: values } }) => {
    return [name, zone, relative, type, Object(values)[0].value].join(" ");
  });
  expect(lines.toSorted()).toEqual([
    "dns-app.example.com-a example.com app A 203.0.113.9",
    "dns-app.example.com-aaaa example.com app AAAA 2001:db8:9::1",
    "dns-www.app.example.com-a example.com www.app A 203.0.113.9",
    "dns-www.app.example.com-aaaa example.com www.app AAAA 2001:db8:9::1",
  ]);
  expect(records.every(({ inputs }) => Object(inputs["labels"]).lifeboat === "lifeboat-test")).toBe(true);
});

test("the URL is that of the name", async () => {
  expect(await valueOf(program.outputs.url)).toBe("https://app.example.com");
});

test("the addresses go with the stack when they are not to be kept", () => {
  const addresses = program.resources.filter(({ type }) => type === "hcloud:index/primaryIp:PrimaryIp");
  expect(addresses.map(({ retainOnDelete }) => retainOnDelete)).toEqual([false, false]);
});

test("without networks of administrators there is no rule for SSH", () => {
  const rules = Object(program.the("hcloud:index/firewall:Firewall").inputs["rules"]);
  expect(rules.map(({ port, protocol }: { port: string; protocol: string }) => `${port}/${protocol}`)).toEqual([
    "80/tcp",
    "443/tcp",
    "443/udp",
  ]);
});

test("the card brings all of it back", () => {
  const { content } = program.the("aws:s3/bucketObjectv2:BucketObjectv2", "recovery-settings").inputs;
  expect(JSON.parse(String(content)).config).toMatchObject({
    "lifeboat:domain": "app.example.com",
    "lifeboat:www": "true",
    "lifeboat:dnsZone": "example.com",
    "lifeboat:keepAddress": "false",
    "lifeboat:acmeDirectory": "https://acme.example/directory",
  });
});
