import { expect, test } from "vitest";

import { unitEnvironment } from "../../app/cli/machine-config.ts";
import { verbs } from "../../app/verbs.ts";
import { readUnitEnvironment } from "../cloud-init/read-unit.ts";
import { runLifeboat } from "./run-lifeboat.ts";

const names = verbs.map(({ command }) => command.name);

test("the help lists every verb with what it does, and is an error where a verb was expected", () => {
  const help = runLifeboat(["--help"]);
  expect([help.status, help.stderr]).toEqual([0, ""]);
  for (const { command } of verbs) expect(help.stdout).toContain(`  ${command.name}`);
  expect(runLifeboat([])).toEqual({ status: 64, stdout: "", stderr: help.stdout });
});

test.each(names)("lifeboat %s --help shows what may be typed here, and not what npm needs", (name) => {
  const { status, stdout } = runLifeboat([name, "--help"]);
  expect(status).toBe(0);
  expect(stdout).toContain(`usage: lifeboat ${name} `);
  expect(stdout).toMatch(new RegExp(`^ {2}lifeboat ${name}`, "m"));
  expect(stdout).not.toMatch(/npm| -- /);
  for (const code of [0, 1, 64]) expect(stdout).toMatch(new RegExp(`^ {2}${code} `, "m"));
});

test.each([
  [["log"], 'there is no verb "log"; did you mean logs?'],
  [["destroy"], `it knows ${names.join(", ")}`],
  [["logs", "--folow"], "Unknown option '--folow'; did you mean --follow?"],
  [["logs", "nginx"], '"nginx" is none of app, boot'],
  [["logs", "app", "boot"], '"boot" is one word too many'],
  [["logs", "--since", "yesterday"], "--since"],
  [["logs", "--lines", "many"], '"many" is not a whole number'],
])("lifeboat %j is refused with 64 and the way on", (words, cause) => {
  const { status, stdout, stderr } = runLifeboat(words);
  expect([status, stdout]).toEqual([64, ""]);
  expect(stderr).toContain(cause);
  expect(stderr).toMatch(/--help/);
});

test("the program gives itself what the units give to boot and the app", () => {
  const units = { ...readUnitEnvironment("boot.service"), ...readUnitEnvironment("app.service") };
  expect(unitEnvironment).toEqual(units);
});
