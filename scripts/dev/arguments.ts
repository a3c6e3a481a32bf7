import { type CommandLine, usageExitCode } from "../../app/cli/command-line.ts";
import { flag, readFlags, readValue, text, UsageError } from "../../app/cli/flags.ts";
import { parseWholeNumber } from "../../app/cli/quantity.ts";

export type DevOptions = Readonly<{ fresh: boolean; port: number | null }>;

const flags = {
  fresh: flag("begin with an empty database: deletes the development data in .dev without asking, and no other"),
  port: text("N", "listen on this port, now and at later starts; 8080 without it, or a free one"),
} as const;

export const devCommand: CommandLine<DevOptions> = {
  name: "dev",
  about: "Runs the app from its sources on this computer, with a store and Litestream, and again after every change.",
  flags,
  examples: ["--port 8081", "--fresh"],
  exitCodes: {
    0: "ended by Ctrl-C, with everything in the store",
    1: "it could not start, or something broke down; the last lines say what",
    [usageExitCode]: "the command line is wrong; nothing was done",
    130: "interrupted before it was up, or twice; 143: terminated so",
  },
  readArguments,
};

/** Reads the command line of `dev`. Throws UsageError, naming the flag, on anything that is not understood. */
function readArguments(words: readonly string[]): DevOptions {
  const values = readFlags(words, flags);
  const port = readValue("port", values.port, (given) => parseWholeNumber(given, 65_535));
  if (port === 0) throw new UsageError("--port: it must be 1 at least");
  return Object.freeze({ fresh: values.fresh, port });
}
