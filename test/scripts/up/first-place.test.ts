import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { expect, test, vi } from "vitest";

import type { Offer } from "../../../scripts/hetzner/hetzner-project.ts";
import { choosePlace, findFirstPlace, refuseUnseenType, renderFreeing } from "../../../scripts/up/first-place.ts";

const wanted = { serverType: "cx33", location: "fsn1" };

function offersOf(availableIn: Record<string, readonly string[]>): Offer[] {
  const known = [
    { name: "cx23", cores: 2, architecture: "x86", price: 5.49 },
    { name: "cx33", cores: 4, architecture: "x86", price: 8.49 },
    { name: "ccx23", cores: 4, architecture: "x86", price: 59.99 },
    { name: "cpx32", cores: 4, architecture: "x86", price: 37.99 },
    { name: "cax21", cores: 4, architecture: "arm", price: 10.49 },
  ];
  return known.map(({ name, cores, architecture, price }) => ({
    name,
    cores,
    architecture,
    availableIn: availableIn[name] ?? [],
    monthly: Object.fromEntries(["fsn1", "nbg1", "hel1", "ash"].map((location) => [location, price])),
  }));
}

const choose = (availableIn: Record<string, readonly string[]>) => choosePlace(offersOf(availableIn), wanted);

test("the configured type is used when it is available", () => {
  expect(choose({ cx33: ["fsn1", "hel1"] })).toBeUndefined();
});

test("the same type in another location of Europe is the first choice, and costs the same", () => {
  const place = choose({ cx33: ["ash", "hel1", "nbg1"], cpx32: ["fsn1"] });
  expect(place).toMatchObject({ serverType: "cx33", location: "nbg1", isOtherType: false });
  expect(place?.words).toBe("server type cx33 is sold out in fsn1: this plan takes it in nbg1");
});

test("a type that is sold out everywhere gives way to the cheapest with four cores of the same architecture, with its price", () => {
  const place = choose({ cx23: ["fsn1"], ccx23: ["fsn1"], cpx32: ["hel1"], cax21: ["nbg1"] });
  expect(place).toMatchObject({ serverType: "cpx32", location: "hel1", isOtherType: true });
  expect(place?.words).toContain("this plan takes cpx32 in hel1 for 37.99 a month, net (cx33: 8.49)");
  expect(place?.words).toContain(
    "cax21 in nbg1 for 10.49 a month, net; pulumi config set serverType cax21 && pulumi config set location nbg1 && npm run up",
  );
});

test("nothing is taken outside of Europe, nor of another architecture, and an unknown type is the program's to refuse", () => {
  expect(choose({ cx33: ["ash"], cpx32: ["ash"] })).toBeUndefined();
  expect(choose({ cax21: ["fsn1"] })).toBeUndefined();
  expect(choosePlace(offersOf({ cpx32: ["fsn1"] }), { ...wanted, serverType: "cx99" })).toBeUndefined();
});

test("--yes accepts no type that nobody saw, and says how to choose it", () => {
  const other = choose({ cpx32: ["hel1"] });
  const answer = (yes: boolean, dryRun = false) => refuseUnseenType(other, { yes, dryRun });
  expect(() => answer(true)).toThrow("pulumi config set serverType cpx32 && pulumi config set location hel1");
  expect(() => answer(false)).not.toThrow();
  expect(() => answer(true, true)).not.toThrow();
  expect(() => refuseUnseenType(choose({ cx33: ["nbg1"] }), { yes: true, dryRun: false })).not.toThrow();
});

test.each([
  ["no settings file", false, "t".repeat(64)],
  ["no token", true, ""],
])(
  "with %s nobody is asked for a place, so that the program tells all faults together",
  async (_what, hasFile, token) => {
    const directory = await mkdtemp(join(tmpdir(), "lifeboat-place-"));
    const settingsFile = join(directory, "Pulumi.production.yaml");
    if (hasFile) await writeFile(settingsFile, "config: {}\n");
    vi.stubEnv("HCLOUD_TOKEN", token);
    // Nothing listens there, so a request would repeat until the test fails.
    vi.stubEnv("HCLOUD_ENDPOINT", "http://127.0.0.1:1");
    const defaults = { "lifeboat:serverType": { value: "cx33" }, "lifeboat:location": { value: "fsn1" } };
    const stack = {
      name: "production",
      getAllConfig: async () => defaults,
      workspace: { projectSettings: async () => ({ name: "lifeboat" }) },
    };
    expect(await findFirstPlace(stack, settingsFile)).toBeUndefined();
    vi.unstubAllEnvs();
    await rm(directory, { recursive: true });
  },
);

test("a place that sold out after it was approved is freed by commands that are named", () => {
  const words = renderFreeing({ serverType: "cx33", location: "nbg1" });
  expect(words).toContain("cx33 in nbg1");
  expect(words).toMatch(/pulumi config rm serverType; pulumi config rm location; npm run up$/);
});
