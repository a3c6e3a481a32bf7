import { carryOutVerb, type CommandLine, readCommandLine, usageExitCode } from "./command-line.ts";
import type { Caller } from "./help.ts";
import { findNearName } from "./near-name.ts";
import { renderTable } from "./render-table.ts";
import type { Transcript } from "./transcript.ts";

/** A verb of the machine's command line. */
export type Verb = Readonly<{
  command: CommandLine<unknown>;
  /** Reads the words, carries the verb out, and sets the exit code. */
  run(words: readonly string[], caller: Caller): Promise<void>;
}>;

/** Makes a verb of its command line and of what carries it out. */
export function makeVerb<Options>(
  command: CommandLine<Options>,
  carryOut: (options: Options, transcript: Transcript) => Promise<void>,
): Verb {
  return {
    command,
    run: async (words, caller) => {
      const own = { ...command, caller };
      await carryOutVerb(own, readCommandLine(own, words), carryOut);
    },
  };
}

/** Runs `lifeboat WORDS`: the verb that the first word names, or the list of all verbs. */
export async function runLifeboat(verbs: readonly Verb[], [name, ...words]: readonly string[]): Promise<void> {
  if (name === "--help" || name === "-h" || name === "help") {
    process.stdout.write(`${renderVerbs(verbs)}\n`);
    return;
  }
  const verb = verbs.find(({ command }) => command.name === name);
  if (verb !== undefined) return verb.run(words, "lifeboat");
  process.stderr.write(name === undefined ? `${renderVerbs(verbs)}\n` : `${renderUnknown(name, verbs)}\n`);
  process.exitCode = usageExitCode;
}

/** Renders the help of the program: what each verb does, and what may be typed. */
function renderVerbs(verbs: readonly Verb[]): string {
  const rows = verbs.map(({ command: { name, about } }) => [`  ${name}`, about.split("\n")[0] ?? ""]);
  return [
    "usage: lifeboat VERB [WORDS]; all about one of them: lifeboat VERB --help",
    "",
    "VERBS",
    renderTable(rows),
  ].join("\n");
}

function renderUnknown(name: string, verbs: readonly Verb[]): string {
  const names = verbs.map(({ command }) => command.name);
  const near = findNearName(name, names);
  const hint = near === undefined ? `it knows ${names.join(", ")}` : `did you mean ${near}?`;
  return `lifeboat: there is no verb "${name}"; ${hint}\nusage: lifeboat VERB [WORDS]; every verb: lifeboat --help`;
}
