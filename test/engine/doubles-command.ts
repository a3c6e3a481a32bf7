import { UsageError } from "../../scripts/cli/flags.ts";
import { type CommandLine, usageExitCode } from "../../scripts/cli/run-verb.ts";
import { deployCommand, releasesCommand, rollbackCommand } from "../../scripts/deploy/arguments.ts";
import { downCommand } from "../../scripts/down/arguments.ts";
import { upCommand } from "../../scripts/up/arguments.ts";

type Program = { program: string; words: readonly string[] };

const verbs = [upCommand, downCommand, deployCommand, rollbackCommand, releasesCommand];

/** The command line of `npm run doubles`: another program's. */
export const doublesCommand: CommandLine<Program> = {
  name: "doubles",
  about: `Runs one command as its user would, in a copy of this repository, logged in to doubles of Hetzner and AWS: nothing is bought, and nothing stays.
PROGRAM is ${verbs.map(({ name }) => name).join(", ")}, or anything on PATH; pulumi without it.`,
  operands: "[PROGRAM [WORD...]]",
  flags: {},
  examples: ["up --dry-run", "pulumi preview --diff", "bash"],
  exitCodes: {
    0: "the program ended with 0",
    1: "the doubles or the program could not be started",
    [usageExitCode]: "the command line is wrong; nothing was done",
    other: "the program's own",
  },
  findProgram(words) {
    const [program = "pulumi", ...rest] = words;
    return { program, flags: verbs.find(({ name }) => name === program)?.flags ?? null, words: rest };
  },
  readArguments([program = "pulumi", ...words]) {
    if (program.startsWith("-")) throw new UsageError(`${program} is no program`);
    return { program, words };
  },
};

/** Where the program is one of our verbs: what runs it. */
export function findScript(program: string): string | undefined {
  return verbs.some(({ name }) => name === program) ? `scripts/${program}.ts` : undefined;
}
