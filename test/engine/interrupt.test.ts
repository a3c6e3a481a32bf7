import { expect, test } from "vitest";

import { listKeys, openScenario, takeHetznerCalls, productionBucket as bucket } from "./project/open-scenario.ts";
import { runVerb } from "./project/run-verb.ts";

const deletion = ["down", "--yes", "--delete-data", "--bucket-name", bucket] as const;

test("an up that is interrupted before its plan is shown makes nothing", async () => {
  await using scenario = await openScenario();
  const where = { project: scenario, checkout: scenario.checkout };
  const { code, stdout } = await runVerb(where, ["up", "--yes"], { interruptAt: /^release /m });
  expect(code).not.toBe(0);
  expect(stdout).not.toContain("planned from the state alone");
  expect(takeHetznerCalls(scenario)).toEqual([]);
});

test("a down that is interrupted deletes no data, and the next one goes on", async () => {
  await using scenario = await openScenario();
  const where = { project: scenario, checkout: scenario.checkout };
  await scenario.stack.up();
  const interrupted = await runVerb(where, deletion, { interruptAt: /no longer in the stack$/m });
  expect(interrupted.stderr).toContain("interrupted: what was begun has been ended");
  expect(interrupted.stdout).toContain("systemctl start lifeboat.target");
  expect(interrupted.stdout).not.toContain("nothing of the stack is left");
  expect(interrupted.code).toBe(1);
  expect(scenario.hetzner.cloud.volumes.size).toBe(1);
  expect(await listKeys(scenario, bucket)).toContain("lifeboat.json");
  const next = await runVerb(where, deletion);
  expect(next.stderr).toBe("");
  expect(next.code).toBe(0);
  expect(scenario.hetzner.cloud.volumes.size).toBe(0);
});
