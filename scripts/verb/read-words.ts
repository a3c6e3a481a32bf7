import { parseArgs, type ParseArgsOptionsConfig } from "node:util";

import { UsageError } from "./run-verb.ts";

/** Reads a command line of flags alone. Throws UsageError on anything that is not known. */
export function readWords<Flags extends ParseArgsOptionsConfig>(words: readonly string[], options: Flags) {
  try {
    return parseArgs({ args: [...words], strict: true, options }).values;
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error), { cause: error });
  }
}

export const text = { type: "string" } as const;
export const flag = { type: "boolean", default: false } as const;

/** Throws UsageError unless a given text fits; the message names the flag. */
export function checkText(
  name: string,
  value: string | undefined,
  { pattern, like }: { pattern: RegExp; like: string },
) {
  if (value !== undefined && !pattern.test(value))
    throw new UsageError(`--${name}: "${value}" does not look like ${like}`);
}

/** What `pulumi stack init` takes: a name, with an organization before it or not. */
export const stackName = { pattern: /^([\w.-]+\/){0,2}[\w.-]+$/, like: "the name of a stack" };
/** S3's rule for names of buckets. */
export const bucketName = { pattern: /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/, like: "the name of a bucket" };
