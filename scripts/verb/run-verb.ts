import { openTranscript, type Transcript } from "./transcript.ts";

/** The command line cannot be obeyed; nothing was started. */
export class UsageError extends Error {}

/** What was asked for is not done, on purpose; the message says what would allow it. */
export class Refused extends Error {}

export type CommandLine<Options> = {
  name: string;
  usage: string;
  /** Throws UsageError. */
  readArguments(words: readonly string[]): Options;
};

export type Verb<Options> = CommandLine<Options> & {
  carryOut(options: Options, transcript: Transcript): Promise<void>;
};

export const usageExitCode = 64; // EX_USAGE of sysexits.h

/** Runs a verb as a program. Exit 0: done; 1: refused, declined or failed; 64: the command line is wrong. */
export async function runVerb<Options extends { help: boolean }>(
  verb: Verb<Options>,
  words: readonly string[],
): Promise<void> {
  const options = readOptions(verb, words);
  if (options === null) return;
  const transcript = openTranscript({ json: false });
  try {
    await verb.carryOut(options, transcript);
  } catch (error) {
    process.stderr.write(`${verb.name}: ${renderError(error)}\n`);
    process.exitCode = 1;
  }
}

/** The message with its causes, one a line. What is not an Error of somebody's making keeps its stack. */
function renderError(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const own = error instanceof TypeError ? (error.stack ?? error.message) : error.message;
  return error.cause === undefined ? own : `${own}\n  ${renderError(error.cause)}`;
}

/** Reads a command line; null when everything is said already: the usage that was asked for, or what is wrong, with exit code 64. */
export function readOptions<Options extends { help: boolean }>(
  verb: CommandLine<Options>,
  words: readonly string[],
): Options | null {
  try {
    const options = verb.readArguments(words);
    if (!options.help) return options;
    process.stdout.write(`${verb.usage}\n`);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    process.stderr.write(`${verb.name}: ${error.message}\n${verb.usage}\n`);
    process.exitCode = usageExitCode;
  }
  return null;
}
