import { beforeAll, expect, test, vi } from "vitest";

import { type LoadedProgram, loadProgram, settings } from "./load-program.ts";
import { valueOf } from "./value-of.ts";

vi.mock("../../infra/components/read-release.ts", () => ({
  readRelease: () => ({ sha256: "ab".repeat(32), path: import.meta.filename }),
}));

// Somebody has taken the IPv6 address off the running machine, at Hetzner.
let program: LoadedProgram;
beforeAll(async () => {
  const labels = { lifeboat: "lifeboat-test", bucket: "boats", rebuild: "0" };
  program = await loadProgram({
    config: {
      ...settings,
      "lifeboat:bucket": "boats",
      "lifeboat:domain": "app.example.com",
      "lifeboat:dnsZone": "example.com",
    },
    bucketExists: true,
    zone: { name: "example.com", mode: "primary", rrsets: [] },
    servers: [{ id: 31, name: "standing", location: "fsn1", serverType: "cx33", ipv6Address: "", labels }],
  });
});

test("a machine without an IPv6 address has no AAAA record, and its edge is told of none", async () => {
  const records = program.resources.filter(({ type }) => type === "hcloud:index/zoneRrset:ZoneRrset");
  expect(records.map(({ inputs: { type, records: values } }) => [type, Object(values)[0].value])).toEqual([
    ["A", "203.0.113.9"],
  ]);
  expect(await valueOf(program.outputs.ipv6)).toBe("");
});
