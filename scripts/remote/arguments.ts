import type { CommandLine } from "../../app/cli/command-line.ts";
import { checkText, flag, stackName, text, UsageError } from "../../app/cli/flags.ts";

export type FarOptions = Readonly<{
  stack: string | undefined;
  dev: boolean;
  /** What the machine's own command line is given. */
  words: readonly string[];
}>;

const farFlags = {
  stack: text("NAME", "the stack whose machine is asked; without it, the one that is selected"),
  dev: flag("ask the app of npm run dev on this computer, not a stack's machine"),
} as const;

const where =
  "It asks the stack's machine over SSH. Where LIFEBOAT_DATA_DIR is set, as by hand, it asks the app of this computer.";

/** The command line of a machine's verb as an npm script: it also says which machine. */
export function onLaptop(command: CommandLine<unknown>): CommandLine<FarOptions> {
  return {
    ...command,
    about: `${command.about}\n${command.onLaptop ?? where}`,
    flags: { ...command.flags, ...farFlags },
    readArguments: (words) => {
      const far = splitWords(words);
      checkText("stack", far.stack, stackName);
      if (far.dev && far.stack !== undefined)
        throw new UsageError("--dev and --stack name two machines: keep one of them");
      // A wrong line is told before anything is reached.
      command.readArguments(far.words);
      return Object.freeze(far);
    },
  };
}

function splitWords(words: readonly string[]): FarOptions {
  const own: string[] = [];
  let stack: string | undefined;
  let dev = false;
  for (let index = 0; index < words.length; index += 1) {
    const word = words[index] ?? "";
    if (word === "--") {
      own.push(...words.slice(index));
      break;
    }
    if (word === "--dev") dev = true;
    else if (word.startsWith("--stack=")) stack = word.slice("--stack=".length);
    else if (word === "--stack") {
      index += 1;
      stack = words[index] ?? "";
    } else own.push(word);
  }
  return { stack, dev, words: own };
}
