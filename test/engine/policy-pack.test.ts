import { join } from "node:path";

import { expect, test } from "vitest";

import { failureOf, openScenario } from "./project/open-scenario.ts";

test("the shipped program obeys the shipped policies, and the engine refuses what they refuse", async () => {
  await using scenario = await openScenario();
  const policyPacks = [join(scenario.checkout.directory, "infra", "policy-pack")];
  const { changeSummary } = await scenario.stack.preview({ policyPacks });
  expect(changeSummary.create).toBeGreaterThan(20);
  await scenario.stack.setAllConfig(
    { "adminCidrs[0]": { value: "0.0.0.0/0" }, adminFromAnywhere: { value: "true" } },
    true,
  );
  expect(await failureOf(scenario.stack.preview({ policyPacks }))).toMatch(/mandatory.*SSH|SSH.*mandatory/is);
});
