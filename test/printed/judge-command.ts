import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";

import { parse } from "yaml";

import type { CommandLine } from "../../app/cli/command-line.ts";
import { UsageError } from "../../app/cli/flags.ts";
import { verbs } from "../../app/verbs.ts";
import { commands } from "../scripts/cli/commands.ts";
import type { PrintedCommand } from "./find-commands.ts";

const root = dirname(dirname(import.meta.dirname));

/** What stands for the values that a text leaves open: in capitals, or put in by the program. */
const samples: Record<string, string> = {
  stack: "production",
  location: "hel1",
  adopt: "a-bucket",
  region: "auto",
  endpoint: "https://s3.example.test",
  "ssh-key": "id.pub",
  "admin-cidr": "203.0.113.7/32",
  "bucket-name": "a-bucket",
  platform: "linux-x64",
  store: "http://127.0.0.1:9000",
  seed: "7",
  port: "8081",
  at: "10m",
};

const { scripts } = readJson("package.json");
const settings = new Set([
  ...Object.keys(parse(readFileSync(join(root, "Pulumi.yaml"), "utf8")).config),
  "apiTokens",
  "secretAccessKey",
  "hcloud:token",
  "aws:region",
]);
const outputs = new Set(
  [...readFileSync(join(root, "infra/index.ts"), "utf8").matchAll(/^export (?:const (\w+)|\{ (\w+) \})/gm)].map(
    ([, name, other]) => name ?? other,
  ),
);
const units = new Set(
  readdirSync(join(root, "cloud-init"), { recursive: true, encoding: "utf8" })
    .filter((path) => /\.(service|target|mount|timer)$/.test(path))
    .map((path) => basename(path)),
);

/**
 * What is wrong with a command that is printed; null when nothing is. `key` names what must be executed by some test.
 */
export function judge(command: PrintedCommand): { fault: string } | { key: string } | null {
  if (command.program === "npm") return judgeNpm(command.words);
  if (command.program === "lifeboat") return judgeOwnVerb(command.words);
  if (command.program === "pulumi") return judgePulumi(command.words);
  if (command.program === "systemctl") return judgeSystemctl(command.words);
  return judgeOther(command);
}

/** By files alone: that its flags are right, only the place shows that executes it. Hence they are part of the key. */
function judgeOther({ program, words }: PrintedCommand): ReturnType<typeof judge> {
  if (program.startsWith("/")) {
    const [name = ""] = words;
    const isThere = existsSync(join(root, "cloud-init/release/bin", name));
    return isThere ? { key: `${program}${name}` } : { fault: `a release has no bin/${name}` };
  }
  const end = words.indexOf("|");
  const own = end === -1 ? words : words.slice(0, end);
  const files = own
    .map((word) => word.replace("file://", ""))
    .filter((word) => /^(?!INSERT)[\w-]+\/.*\.(json|m?[jt]s)$/.test(word));
  const missing = files.find((word) => !existsSync(join(root, word)));
  if (missing !== undefined) return { fault: `there is no ${missing}` };
  if (program === "node") return { key: `node ${own[0]}` };
  // The command that it runs is judged by itself.
  if (program === "ssh" || program === "flock") return { key: program };
  const acts = own.slice(
    0,
    own.findIndex((word) => !/^[a-z][\w-]*$/.test(word)),
  );
  const flags = own.filter((word) => /^-\w|^--\w/.test(word)).map((word) => word.replace(/=.*/, ""));
  return { key: [program, ...acts, ...new Set(flags.toSorted())].join(" ") };
}

function judgeNpm([first = "", ...rest]: readonly string[]): ReturnType<typeof judge> {
  if (first === "test") return { key: "test" };
  if (first !== "run") return null;
  const [script = "", separator, ...words] = rest;
  // A verb that is put in, or none at all: then it is prose.
  if (script === "" || script === "INSERT" || script === "<name>") return null;
  if (!Object.hasOwn(scripts, script)) return { fault: `package.json has no script ${script}` };
  if (separator?.startsWith("--") === true && separator !== "--") return { fault: `npm keeps ${separator} for itself` };
  if (separator !== "--") return { key: script };
  return script === "doubles" ? judgeNpm(["run", ...split(words)]) : judgeVerb(script, words);
}

/** `npm run doubles -- up --dry-run` hands down what `npm run up -- --dry-run` does. */
function split([verb = "", ...flags]: readonly string[]): string[] {
  return Object.hasOwn(scripts, verb) ? [verb, "--", ...flags] : ["doubles"];
}

/** As it is typed on the machine. */
function judgeOwnVerb([name = "", ...words]: readonly string[]): ReturnType<typeof judge> {
  const own = verbs.map(({ command }) => command);
  const judged = judgeVerb(name, words, own);
  return judged !== null && "key" in judged ? { key: `lifeboat ${judged.key}` } : judged;
}

function judgeVerb(
  script: string,
  words: readonly string[],
  known: readonly CommandLine<unknown>[] = commands,
): ReturnType<typeof judge> {
  const verb = known.find(({ name }) => name === script);
  if (verb === undefined) {
    const missing = words.find((word) => word.startsWith("test/") && !existsSync(join(root, word)));
    return missing === undefined ? { key: script } : { fault: `there is no ${missing}` };
  }
  // An operand that must be there comes first.
  const isOperandFirst = /^[A-Z]/.test(verb.operands ?? "");
  const given = isOperandFirst ? words.slice(0, 1) : [];
  const flags: string[] = [];
  for (let index = given.length; words[index]?.startsWith("-") === true; index += 1) {
    const flag = (words[index] ?? "").replace(/^--/, "");
    if (flag === "help") return { key: `${script} --help` };
    const spec = Object.entries(verb.flags).find(([name]) => name === flag)?.[1];
    if (spec === undefined) return { fault: `${script} has no flag --${flag}` };
    flags.push(`--${flag}`);
    given.push(`--${flag}`);
    if (spec.type === "boolean") continue;
    index += 1;
    const value = words[index] ?? "";
    given.push(/^[A-Z]*$|…|INSERT/.test(value) ? (samples[flag] ?? "1") : value);
  }
  try {
    verb.readArguments(given);
  } catch (error) {
    // Its keys come from the environment of the person who types it.
    const wantsKeys = error instanceof UsageError && error.message.includes("in the environment");
    if (!wantsKeys) return { fault: String(error) };
  }
  return { key: [script, ...flags.toSorted()].join(" ") };
}

function judgePulumi([first = "", second = "", ...rest]: readonly string[]): ReturnType<typeof judge> {
  const name = rest.find((word) => !word.startsWith("--")) ?? "";
  if (first === "config" && ["set", "get", "rm"].includes(second)) {
    const setting = name.replace(/^lifeboat:/, "").replace(/\[(\d+|INSERT)\]$/, "");
    if (setting === "" || /INSERT|KEY/.test(setting) || settings.has(setting))
      return { key: `pulumi config ${second}` };
    return { fault: `Pulumi.yaml has no setting ${name}` };
  }
  if (first === "stack" && second === "output")
    return outputs.has(name) ? { key: "pulumi stack output" } : { fault: `the program has no output ${name}` };
  if (first === "stack") return ["init", "rm", "select"].includes(second) ? { key: `pulumi stack ${second}` } : null;
  return ["login", "up", "destroy", "preview"].includes(first) ? { key: `pulumi ${first}` } : null;
}

function judgeSystemctl(words: readonly string[]): ReturnType<typeof judge> {
  const [act = "", unit = ""] = words.filter((word) => !word.startsWith("--"));
  if (!["start", "restart", "stop"].includes(act) || unit === "INSERT" || unit === "") return null;
  const file = unit.includes(".") ? unit : `${unit}.service`;
  return units.has(file) ? { key: `systemctl ${act} ${file}` } : { fault: `there is no unit ${file}` };
}

function readJson(path: string): { scripts: Record<string, string> } {
  return JSON.parse(readFileSync(join(root, path), "utf8"));
}
