import { type Flags, UsageError } from "./flags.ts";
import { type Help, renderHelp, renderHint, renderName } from "./help.ts";
import { openTranscript, type Transcript } from "./transcript.ts";

/** The verb refuses. The message says why, and what would allow it. */
export class Refused extends Error {}

/** A verb ended otherwise than it was meant to, with an exit code that says how. */
export class Ended extends Error {
  readonly exitCode: number;

  constructor(exitCode: number, message: string) {
    super(message);
    this.exitCode = exitCode;
  }
}

export type CommandLine<Options> = Help & {
  /** For a verb that runs another program: finds it by the first word, with its flags where we know them. */
  findProgram?(words: readonly string[]): { program: string; flags: Flags | null; words: readonly string[] };
  /** Throws UsageError. */
  readArguments(words: readonly string[]): Options;
};

export const usageExitCode = 64; // EX_USAGE of sysexits.h

/** The exit codes of every verb that carryOutVerb runs. */
export const verbExitCodes = {
  0: "done",
  1: "refused, declined or failed; the last lines say why",
  [usageExitCode]: "the command line is wrong; nothing was done",
} as const;

/** Carries a verb out, prints what went wrong, and sets the exit code. Does nothing without options. */
export async function carryOutVerb<Options>(
  help: Pick<Help, "name" | "caller">,
  options: Options | null,
  carryOut: (options: Options, transcript: Transcript) => Promise<void>,
): Promise<void> {
  if (options === null) return;
  const transcript = openTranscript({ json: false });
  try {
    await carryOut(options, transcript);
  } catch (error) {
    process.stderr.write(`${renderName(help)}: ${renderError(error)}\n`);
    process.exitCode = error instanceof Ended ? error.exitCode : 1;
  }
}

/** Renders an error and its causes, one a line. A TypeError is a mistake of ours, so it keeps its stack. */
function renderError(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const own = error instanceof TypeError ? (error.stack ?? error.message) : error.message;
  return error.cause === undefined ? own : `${own}\n  ${renderError(error.cause)}`;
}

/**
 * Reads a command line. Returns null after printing the help, or what is wrong with the line (exit code 64). `guard`
 * looks at the words first, and throws UsageError.
 */
export function readCommandLine<Options>(
  command: CommandLine<Options>,
  words: readonly string[],
  guard?: () => void,
): Options | null {
  const own = command.findProgram === undefined ? words : words.slice(0, 1);
  if (own.includes("--help") || own.includes("-h")) {
    process.stdout.write(`${renderHelp(command)}\n`);
    return null;
  }
  try {
    guard?.();
    return command.readArguments(words);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    process.stderr.write(`${renderName(command)}: ${error.message}\n${renderHint(command)}\n`);
    process.exitCode = usageExitCode;
  }
  return null;
}
