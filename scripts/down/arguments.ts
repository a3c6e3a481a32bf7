import { type CommandLine, verbExitCodes } from "../../app/cli/command-line.ts";
import { bucketName, checkText, flag, readFlags, stackName, text, UsageError } from "../../app/cli/flags.ts";

export type DownOptions = Readonly<{
  stack: string | undefined;
  yes: boolean;
  dryRun: boolean;
  withoutFinalSync: boolean;
  deleteData: boolean;
  /** The name that --delete-data would otherwise ask for. */
  bucketName: string | undefined;
}>;

const flags = {
  stack: text("NAME", "the stack; without it, the one that is selected"),
  yes: flag("do it without asking"),
  "dry-run": flag("show the plan, and change nothing"),
  "without-final-sync": flag("destroy a machine that cannot be stopped: what is not in the bucket yet may be lost"),
  "delete-data": flag("take bucket and volumes too, for good; asks for the bucket's name"),
  "bucket-name": text("NAME", "with --delete-data: the name that would be asked for"),
} as const;

export const downCommand: CommandLine<DownOptions> = {
  name: "down",
  about: "Stops the services, checks their final sync, and takes the machine away. Bucket and volume stay.",
  flags,
  examples: ["--dry-run", "--delete-data"],
  exitCodes: verbExitCodes,
  readArguments,
};

/** Reads the command line of `down`. Throws UsageError, naming the flag, on anything that is not understood. */
export function readArguments(words: readonly string[]): DownOptions {
  const values = readFlags(words, flags);
  checkText("stack", values.stack, stackName);
  checkText("bucket-name", values["bucket-name"], bucketName);
  if (values["bucket-name"] !== undefined && !values["delete-data"])
    throw new UsageError("--bucket-name needs --delete-data");
  return Object.freeze({
    stack: values.stack,
    yes: values.yes,
    dryRun: values["dry-run"],
    withoutFinalSync: values["without-final-sync"],
    deleteData: values["delete-data"],
    bucketName: values["bucket-name"],
  });
}
