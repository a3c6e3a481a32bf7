import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";

import { expect, test } from "vitest";

// That a refused boot names its command, BootRefused sees to (test/boot/decide-boot-always.test.ts), and `refuse` for the bootstrap.
const root = dirname(dirname(import.meta.dirname));
const refusal = /new (?:Refused|pulumi\.RunError)\(/g;

/** Something to type: a command, a flag or a variable of the environment; or a text that is put in and ends with one. */
const command =
  /npm run |lifeboat [a-z]|pulumi |systemctl |sudo |docs\/runbooks|--[a-z]|\bAWS_[A-Z]+|environment|\$\{(?:build|ways|waysOut|renderChoice|demand|suggest)/;

/** What needs no next command, and why. */
const complete: readonly [text: string, why: string][] = [
  ["If it is wanted, add ${flag}", "the flag"],
  ['"declined; nothing was changed"', "somebody said no"],
  ["is not ${name}; nothing was changed", "somebody typed another name, and is asked again by the same command"],
  ["the plan is refused; nothing was changed", "find-refusals.ts, below"],
  ["obstacle", "find-obstacle.ts says what to install, or to end"],
  ["error.message", "the message of an UnreadableNote, below"],
  ["`config:", "each fault, and the command after them, in config-reading.ts"],
];

function listRefusals(): { at: string; text: string }[] {
  return ["app", "infra", "scripts"].flatMap((place) =>
    readdirSync(join(root, place), { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".ts"))
      .flatMap((name) => {
        const source = readFileSync(join(root, place, name), "utf8");
        return [...source.matchAll(refusal)].map(({ 0: begin, index }) => ({
          at: `${place}/${name}:${source.slice(0, index).split("\n").length}`,
          text: readArgument(source.slice(index + begin.length)),
        }));
      }),
  );
}

/** Up to the parenthesis that closes the call. */
function readArgument(source: string): string {
  let depth = 1;
  let end = 0;
  for (; end < source.length && depth > 0; end += 1) {
    if (source[end] === "(") depth += 1;
    if (source[end] === ")") depth -= 1;
  }
  return source.slice(0, end - 1);
}

test("every refusal of a verb or of the program says what to type next", () => {
  const refusals = listRefusals();
  expect(refusals.length).toBeGreaterThan(20);
  const silent = refusals.filter(
    ({ text }) => !command.test(text) && !complete.some(([known]) => text.includes(known)),
  );
  expect(silent.map(({ at, text }) => `${at}: ${text.trim()}`)).toEqual([]);
  expect(complete.filter(([known]) => !refusals.some(({ text }) => text.includes(known)))).toEqual([]);
});

test("so does what a plan, a configuration and a note of a build are refused for", () => {
  expect(read("scripts/engine/find-refusals.ts")).toMatch(
    /add --approve-replacement[^]*take the change back, then npm run up/,
  );
  expect(read("infra/config/config-reading.ts")).toMatch(/config:[^]*pulumi config set KEY VALUE, then: npm run up/);
  expect(read("cloud-init/built-release.ts")).toMatch(/new UnreadableNote\([^]*npm run build/);
});

function read(path: string): string {
  return readFileSync(join(root, path), "utf8");
}
