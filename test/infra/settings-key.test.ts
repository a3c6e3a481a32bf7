import { execFileSync } from "node:child_process";
import { join } from "node:path";

import { expect, test } from "vitest";

import { SettingsKey } from "../../infra/components/settings-key.ts";
import { recordStack } from "./recorded-stack.ts";
import { valueOf } from "./value-of.ts";

const script = join(import.meta.dirname, "../../scripts/steps/make-settings-key.ts");
const printKey = (environment: Record<string, string>) =>
  execFileSync(process.execPath, [script], { env: environment, encoding: "utf8" }).trim();

// That another trigger makes it a new resource, which remembers nothing, is shown by test/engine/without-ssh.test.ts.
test("only another generation makes another key; the first has no mark, as in stacks of before", async () => {
  const stack = await recordStack({ config: {} });
  for (const generation of [1, 2]) {
    const { key } = new SettingsKey(`settings-key-${generation}`, { generation });
    await valueOf(key);
  }
  const commands = stack.listResources().filter(({ type }) => type === "command:local:Command");
  expect(commands.map(({ inputs }) => inputs["triggers"])).toEqual([undefined, [2]]);
});

test("the key is remembered, and another one is made where nothing is", () => {
  const key = printKey({});
  expect(key).toMatch(/^[0-9a-f]{64}$/);
  expect(printKey({ PULUMI_COMMAND_STDOUT: `${key}\n` })).toBe(key);
  expect(printKey({})).not.toBe(key);
});
