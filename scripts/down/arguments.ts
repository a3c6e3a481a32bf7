import { bucketName, checkText, flag, readWords, stackName, text } from "../verb/read-words.ts";
import { UsageError } from "../verb/run-verb.ts";

export type DownOptions = Readonly<{
  help: boolean;
  stack: string | undefined;
  yes: boolean;
  dryRun: boolean;
  withoutFinalSync: boolean;
  deleteData: boolean;
  /** The name that --delete-data would otherwise ask for. */
  bucketName: string | undefined;
}>;

export const usage =
  "usage: npm run down -- [--stack NAME] [--yes] [--dry-run] [--without-final-sync] [--delete-data [--bucket-name NAME]]";

/** Reads the command line of `down`. Throws UsageError, naming the flag, on anything that is not understood. */
export function readArguments(words: readonly string[]): DownOptions {
  const values = readWords(words, {
    help: flag,
    stack: text,
    yes: flag,
    "dry-run": flag,
    "without-final-sync": flag,
    "delete-data": flag,
    "bucket-name": text,
  });
  checkText("stack", values.stack, stackName);
  checkText("bucket-name", values["bucket-name"], bucketName);
  if (values["bucket-name"] !== undefined && !values["delete-data"])
    throw new UsageError("--bucket-name needs --delete-data");
  return Object.freeze({
    help: values.help,
    stack: values.stack,
    yes: values.yes,
    dryRun: values["dry-run"],
    withoutFinalSync: values["without-final-sync"],
    deleteData: values["delete-data"],
    bucketName: values["bucket-name"],
  });
}
