import { beforeAll, expect, test, vi } from "vitest";

import { type LoadedProgram, loadProgram, settings } from "./load-program.ts";

vi.mock("../../infra/components/read-release.ts", () => ({
  readRelease: () => ({ sha256: "ab".repeat(32), path: import.meta.filename }),
}));

// How the world reaches a machine that has no name, and what it may reach by itself.
let program: LoadedProgram;
beforeAll(async () => {
  program = await loadProgram({ config: settings });
});

test("the addresses outlive the server and the stack, and a running server keeps the ones it has", () => {
  for (const [name, type] of [
    ["machine-fsn1", "ipv4"],
    ["machine-fsn1-ipv6", "ipv6"],
  ])
    expect(program.the("hcloud:index/primaryIp:PrimaryIp", name)).toMatchObject({
      retainOnDelete: true,
      inputs: { type, autoDelete: false, location: "fsn1" },
    });
  const server = program.the("hcloud:index/server:Server");
  expect(server.inputs["publicNets"]).toEqual([{ ipv4Enabled: true, ipv4: 4711, ipv6Enabled: true, ipv6: 4711 }]);
  // The provider cuts the power of a server to give it another address.
  expect(server.ignoreChanges).toContain("publicNets");
});

test("without a zone no records are made, and Hetzner is not asked for one", () => {
  expect(program.resources.filter(({ type }) => type === "hcloud:index/zoneRrset:ZoneRrset")).toEqual([]);
  expect(program.calls).not.toContain("hcloud:index/getZone:getZone");
});

test("the machine's edge learns the domain, both addresses, and a key that is not the machine's", () => {
  const { userData } = program.the("hcloud:index/server:Server").inputs;
  for (const line of [
    "DOMAIN='ip'",
    "IPV4='203.0.113.9'",
    "IPV6='2001:db8:9::1'",
    "EDGE_ACCESS_KEY_ID='access-edge-fsn1-1-id'",
  ])
    expect(Object(userData).value).toContain(`LIFEBOAT_${line}`);
  const { stdin } = program.the("command:local:Command", "active-activation").inputs;
  expect(JSON.parse(Object(stdin).value).edge).toEqual({
    domain: "ip",
    www: false,
    ipv4: "203.0.113.9",
    ipv6: "2001:db8:9::1",
    key: { accessKeyId: "access-edge-fsn1-1-id", secretAccessKey: "secret-of-access-edge-fsn1-1" },
  });
});

test("the world reaches the web, by TCP and for HTTP/3 by UDP, and administrators SSH", () => {
  const rules = Object(program.the("hcloud:index/firewall:Firewall").inputs["rules"]);
  const byPort = Object.fromEntries(
    rules.map((rule: { protocol: string; port: string; sourceIps: string[] }) => [
      `${rule.port}/${rule.protocol}`,
      rule.sourceIps,
    ]),
  );
  const everywhere = ["0.0.0.0/0", "::/0"];
  expect(byPort).toEqual({
    "22/tcp": ["203.0.113.7/32"],
    "80/tcp": everywhere,
    "443/tcp": everywhere,
    "443/udp": everywhere,
  });
});

test("the machine and its edge have an identity of their own in their location, and nobody else has one", () => {
  const users = program.resources.filter(({ type }) => type === "aws:iam/user:User");
  expect(users.map(({ name }) => name)).toEqual(["access-machine-fsn1", "access-edge-fsn1"]);
  expect(program.resources.filter(({ type }) => type === "aws:iam/accessKey:AccessKey")).toHaveLength(2);
});

test("their keys work from the machine's address and the administrators' networks only", () => {
  for (const name of ["access-machine-fsn1", "access-edge-fsn1"]) {
    const policy: unknown = JSON.parse(String(program.the("aws:iam/userPolicy:UserPolicy", name).inputs["policy"]));
    for (const { Condition } of Object(policy).Statement)
      expect(Condition).toMatchObject({ IpAddress: { "aws:SourceIp": ["203.0.113.9/32", "203.0.113.7/32"] } });
  }
});
