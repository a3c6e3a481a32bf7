import { spawnSync } from "node:child_process";
import { join } from "node:path";

import { expect, test } from "vitest";

import { renderHelp } from "../../../app/cli/help.ts";
import { commands } from "./commands.ts";

test.each(commands)(
  "the help of $name has a line for each flag, an example that is read, and the exit codes",
  (command) => {
    const lines = renderHelp(command).split("\n");
    for (const flag of [...Object.keys(command.flags), "help"]) {
      const own = lines.filter((line) => line.startsWith(`  --${flag} `));
      expect(own, `lines of --${flag}`).toHaveLength(1);
      expect(own[0]?.match(/(^| )--[a-z-]+/g)?.[0]?.trim()).toBe(`--${flag}`);
    }
    expect(lines.filter((line) => line.startsWith(`  npm run ${command.name} -- `)).length).toBeGreaterThan(0);
    expect(lines).toContain("EXIT CODES");
    for (const code of [0, 1, 64]) expect(lines.some((line) => line.startsWith(`  ${code} `))).toBe(true);
  },
);

const programs = [
  ["build", "scripts/build.ts"],
  ["bench", "scripts/bench.ts"],
  ["dev", "scripts/dev.ts"],
  ["drill", "scripts/drill.ts"],
  ["doubles", "test/engine/run-with-doubles.ts"],
] as const;

test.each(programs)("%s --help is help, and a wrong flag is 64 with the way to the help", (name, program) => {
  const run = (...words: string[]) =>
    spawnSync(process.execPath, [join(import.meta.dirname, "../../..", program), ...words], {
      encoding: "utf8",
    });
  const help = run("--help");
  expect([help.status, help.stderr]).toEqual([0, ""]);
  expect(help.stdout).toContain(`usage: npm run ${name} -- `);
  const wrong = run("--no-such-flag");
  expect([wrong.status, wrong.stdout]).toEqual([64, ""]);
  expect(wrong.stderr).toMatch(new RegExp(`--no-such-flag[^]*npm run ${name} -- --help`));
});
