import { spawnSync } from "node:child_process";

import type { Flags } from "./flags.ts";
import { renderCommand } from "./help.ts";
import { UsageError } from "./run-verb.ts";

type Environment = Readonly<Record<string, string | undefined>>;

const prefix = "npm_config_";
// Shorter ones of npm's own would be taken for a beginning of ours.
const leastLength = 3;

/**
 * Without "--" npm takes the flags for its own settings, and the verb would run as if they had not been given: `--dry-run` would be no dry run.
 * npm hands its settings down in the environment; whatever there is a flag of this verb, its beginning, or the flag without its hyphens, and is not
 * among the words, was meant for the verb. Throws UsageError. npm leaves no trace of `--location NAME` and of `--rebuild`, which it has itself.
 */
export function refuseSwallowedFlags(
  { name, flags, words }: { name: string; flags: Flags; words: readonly string[] },
  environment: Environment,
): void {
  const given = new Set(words.map((word) => word.split("=")[0]));
  const swallowed = Object.entries(flags)
    .filter(([flag]) => !given.has(`--${flag}`))
    .flatMap(([flag, spec]) => {
      const setting = findSettings(flag, environment).find((found) => !isInNpmrc(found, environment));
      return setting === undefined ? [] : [{ flag, spec, setting }];
    });
  if (swallowed.length === 0) return;
  const kept = swallowed.map(({ flag, spec }) => (spec.type === "string" ? `--${flag} ${spec.value}` : `--${flag}`));
  const meant = swallowed.map(({ flag, spec, setting: { value } }) => {
    if (spec.type === "boolean") return `--${flag}`;
    // npm says "true" where it has lost the value.
    return `--${flag} ${value === "true" ? spec.value : quote(value)}`;
  });
  throw new UsageError(
    `npm kept ${kept.join(" ")} for itself, and nothing was done. Flags stand behind two hyphens: ` +
      renderCommand(name, [...keepFlags(words, flags), ...meant].join(" ")) +
      ` (if your environment sets ${prefix}*, unset it)`,
  );
}

/** The flags among the words, with their values, as they are typed. Any other word is a value whose flag npm has kept. */
function keepFlags(words: readonly string[], flags: Flags): string[] {
  return words
    .filter((word, index) => {
      const before = words[index - 1] ?? "";
      return word.startsWith("--") || (before.startsWith("--") && flags[before.slice(2)]?.type === "string");
    })
    .map(quote);
}

/** A word as a shell reads it as one. */
function quote(word: string): string {
  return /^[\w./:@%+=,~-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`;
}

type Setting = { key: string; value: string };

/** The settings of npm that may have been meant for a flag. */
function findSettings(flag: string, environment: Environment): Setting[] {
  const [isNegative, wanted] = [flag.startsWith("no-"), compress(flag.replace(/^no-/, ""))];
  return Object.entries(environment).flatMap(([variable, value = ""]) => {
    if (!variable.startsWith(prefix)) return [];
    const key = variable.slice(prefix.length);
    const found = compress(key);
    if (found.length < leastLength || !wanted.startsWith(found)) return [];
    // npm writes "no" as nothing at all.
    const isOff = value === "" || value === "false";
    return isOff === isNegative ? [{ key: key.replaceAll("_", "-"), value }] : [];
  });
}

function compress(name: string): string {
  return name.replaceAll(/[-_]/g, "").toLowerCase();
}

/** Whether somebody's .npmrc says so, for every command: then it was not meant for the verb. npm itself is asked. */
function isInNpmrc({ key, value }: Setting, environment: Environment): boolean {
  const npm = environment["npm_execpath"];
  if (npm === undefined) return false;
  const rest = Object.entries(environment).filter(([name]) => compress(name) !== compress(`${prefix}${key}`));
  const asked = spawnSync(process.execPath, [npm, "config", "get", key], {
    env: Object.fromEntries(rest),
    encoding: "utf8",
  });
  return asked.status === 0 && asked.stdout.trim() === value;
}
