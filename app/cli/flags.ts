import { parseArgs } from "node:util";

import { findNearName } from "./near-name.ts";

/** The command line cannot be obeyed; nothing was started. */
export class UsageError extends Error {}

type Switch = Readonly<{ type: "boolean"; default: false; about: string }>;
type Option = Readonly<{
  type: "string";
  /** The placeholder for its value in the help. */
  value: string;
  about: string;
}>;

/** The flags of a verb, in the order of its help. */
export type Flags = Readonly<Record<string, Switch | Option>>;

/** A flag without a value. */
export function flag(about: string): Switch {
  return { type: "boolean", default: false, about };
}

/** A flag with a value. */
export function text(value: string, about: string): Option {
  return { type: "string", value, about };
}

/** Reads a command line that consists of flags. Throws UsageError on anything unknown. */
export function readFlags<Table extends Flags>(words: readonly string[], table: Table) {
  try {
    return parseArgs({ args: [...words], strict: true, options: table }).values;
  } catch (error) {
    throw toUsageError(error, table);
  }
}

/** The same for a command line that may also hold one word of its own, named by `operand` in the complaint. */
export function readFlagsAndOperand<Table extends Flags>(words: readonly string[], table: Table, operand: string) {
  try {
    const { values, positionals } = parseArgs({
      args: [...words],
      strict: true,
      options: table,
      allowPositionals: true,
    });
    const [first, second] = positionals;
    if (second !== undefined) throw new UsageError(`"${second}" is one word too many after ${operand}`);
    return { values, operand: first };
  } catch (error) {
    throw toUsageError(error, table);
  }
}

function toUsageError(error: unknown, table: Flags): UsageError {
  if (error instanceof UsageError) return error;
  // Node goes on with advice for a word that begins with a hyphen.
  const words = (error instanceof Error ? error.message : String(error)).split(". To specify ")[0] ?? "";
  const [, typed] = /^Unknown option '--([^']*)'/.exec(words) ?? [];
  const near = typed === undefined ? undefined : findNearName(typed, Object.keys(table));
  return new UsageError(near === undefined ? words : `${words}; did you mean --${near}?`, { cause: error });
}

/** Reads the value of an optional flag. Throws UsageError, with the flag's name, when it is invalid. */
export function readValue<Value>(
  name: string,
  given: string | undefined,
  parse: (given: string) => Value,
): Value | null {
  if (given === undefined) return null;
  try {
    return parse(given);
  } catch (error) {
    throw new UsageError(`--${name}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}

/** Throws UsageError unless a given text matches. The message names the flag. */
export function checkText(
  name: string,
  value: string | undefined,
  { pattern, like }: { pattern: RegExp; like: string },
) {
  if (value !== undefined && !pattern.test(value))
    throw new UsageError(`--${name}: "${value}" does not look like ${like}`);
}

/** Throws UsageError, which lists the choices, unless a given text is one of them. */
export function checkChoice(name: string, value: string | undefined, choices: readonly string[]) {
  if (value !== undefined && !choices.includes(value))
    throw new UsageError(`--${name}: "${value}" is none of ${choices.join(", ")}`);
}

/** What `pulumi stack init` accepts: a name, optionally with an organization before it. */
export const stackName = { pattern: /^([\w.-]+\/){0,2}[\w.-]+$/, like: "the name of a stack" };
/** S3's rule for bucket names. */
export const bucketName = { pattern: /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/, like: "the name of a bucket" };
