import { type CommandLine, usageExitCode } from "../../app/cli/command-line.ts";
import { flag, UsageError } from "../../app/cli/flags.ts";
import { deployCommand, releasesCommand, rollbackCommand } from "../../scripts/deploy/arguments.ts";
import { downCommand } from "../../scripts/down/arguments.ts";
import { upCommand } from "../../scripts/up/arguments.ts";

type Program = {
  program: string;
  words: readonly string[];
  /** Whether real machines stand behind the servers. */
  isReal: boolean;
};

const verbs = [upCommand, downCommand, deployCommand, rollbackCommand, releasesCommand];

/** The command line of `npm run doubles`: another program's. */
export const doublesCommand: CommandLine<Program> = {
  name: "doubles",
  about: `Runs one command as its user would, in a copy of this repository, logged in to doubles of Hetzner and AWS: nothing is bought, and nothing stays.
PROGRAM is ${verbs.map(({ name }) => name).join(", ")}, or anything on PATH; pulumi without it.`,
  operands: "[PROGRAM [WORD...]]",
  flags: { real: flag("before PROGRAM: each server is a virtual machine that boots, with HTTPS; needs root and QEMU") },
  examples: ["up --dry-run", "pulumi preview --diff", "bash", "--real up --yes", "--real bash"],
  exitCodes: {
    0: "the program ended with 0",
    1: "the doubles or the program could not be started",
    [usageExitCode]: "the command line is wrong; nothing was done",
    other: "the program's own",
  },
  findProgram(given) {
    const { program, words: rest } = split(given);
    return { program, flags: verbs.find(({ name }) => name === program)?.flags ?? null, words: rest };
  },
  readArguments(given) {
    const read = split(given);
    if (read.program.startsWith("-")) throw new UsageError(`${read.program} is no program`);
    return read;
  },
};

function split(given: readonly string[]): Program {
  const isReal = given[0] === "--real";
  const [program = "pulumi", ...words] = isReal ? given.slice(1) : given;
  return { program, words, isReal };
}

/** Where the program is one of our verbs: what runs it. */
export function findScript(program: string): string | undefined {
  return verbs.some(({ name }) => name === program) ? `scripts/${program}.ts` : undefined;
}
