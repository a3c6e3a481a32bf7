import { carryOutVerb, type CommandLine, readCommandLine } from "../../app/cli/command-line.ts";
import type { Transcript } from "../../app/cli/transcript.ts";
import { refuseSwallowedFlags } from "./swallowed-flags.ts";

/** Runs a verb as an npm script: reads its command line, carries it out, prints what went wrong, sets the exit code. */
export async function runVerb<Options>(
  command: CommandLine<Options>,
  words: readonly string[],
  carryOut: (options: Options, transcript: Transcript) => Promise<void>,
): Promise<void> {
  await carryOutVerb(command, readOptions(command, words), carryOut);
}

/** Reads the command line of an npm script. Returns null after printing the help, or what is wrong (exit code 64). */
export function readOptions<Options>(command: CommandLine<Options>, words: readonly string[]): Options | null {
  return readCommandLine(command, words, () =>
    refuseSwallowedFlags({ ...command, words, ...command.findProgram?.(words) }, process.env),
  );
}
