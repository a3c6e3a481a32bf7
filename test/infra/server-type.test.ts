import * as pulumi from "@pulumi/pulumi";
import { expect, test } from "vitest";

import { chooseServerType } from "../../infra/survey/server-type.ts";
import type { StandingServer } from "../../infra/survey/survey-project.ts";

const config = { serverType: "cx33", serverTypeFallbacks: ["cpx32"], location: "fsn1", rebuild: 3 };
const standing = { serverType: "cpx32", location: "fsn1", rebuild: "3", hasIpv6: true };

/** What can be had in fsn1; in hel1 everything can. */
function choose(available: readonly string[], servers: readonly StandingServer[] = [], changed = {}): string {
  const offers = ["cx23", "cx33", "cpx32", "ccx23"].map((name) => ({
    name,
    cores: name === "cx23" ? 2 : 4,
    availableIn: available.includes(name) ? ["fsn1", "hel1"] : ["hel1"],
  }));
  return chooseServerType({ config: { ...config, ...changed }, survey: { servers, offers } });
}

function refusalOf(choice: () => string): string {
  try {
    choice();
  } catch (error) {
    if (error instanceof pulumi.RunError) return error.message;
    throw error;
  }
  throw new Error("a type was chosen");
}

test("the first type that can be had is taken", () => {
  expect(choose(["cx33", "cpx32"])).toBe("cx33");
  expect(choose(["cpx32"])).toBe("cpx32");
});

test("a machine keeps its type when another of the list comes back, and when its own sells out", () => {
  expect(choose(["cx33", "cpx32"], [standing])).toBe("cpx32");
  expect(choose([], [standing])).toBe("cpx32");
});

test("a machine that is replaced anyway gets the first type that can be had", () => {
  expect(choose(["cx33"], [{ ...standing, rebuild: "2" }])).toBe("cx33");
  expect(choose(["cx33"], [{ ...standing, rebuild: undefined }])).toBe("cx33");
  expect(choose([], [standing], { location: "hel1" })).toBe("cx33");
  expect(choose(["cx33"], [standing], { serverTypeFallbacks: [] })).toBe("cx33");
});

test("when no wanted type can be had, it is told what can be, and that nothing was changed", () => {
  const refusal = refusalOf(() => choose(["cx23", "ccx23"]));
  expect(refusal).toContain("server type cx33, cpx32 is sold out in fsn1; nothing was changed");
  expect(refusal).toContain("To be had there: ccx23; pulumi config set serverType ccx23");
  expect(refusal).toContain(
    "which has one (cx33 in hel1; cpx32 in hel1): pulumi config set location hel1. Then npm run up",
  );
  const moved = refusalOf(() => choose([], [{ ...standing, rebuild: "2" }]));
  expect(moved).toContain("wait for cx33");
  expect(moved).toMatch(/: npm run up -- --location hel1$/);
});

test("when no location has one, no location is named", () => {
  const offers = [{ name: "cx33", cores: 4, availableIn: [] }];
  const sold = () =>
    chooseServerType({ config: { ...config, serverTypeFallbacks: [] }, survey: { servers: [], offers } });
  expect(refusalOf(sold)).toContain("no other location has one either");
  expect(refusalOf(sold)).not.toContain("pulumi config set location");
});

test("an unknown server type is not reported as sold out", () => {
  const refusal = refusalOf(() => choose([], [], { serverTypeFallbacks: ["cx99"] }));
  expect(refusal).toContain("server type cx33 is sold out, and server type cx99 does not exist in fsn1");
});
