import { randomInt } from "node:crypto";

import { parseDurationMs, parseLimitMs, parseSizeBytes, parseWholeNumber } from "../verb/quantity.ts";
import { flag, readWords, text } from "../verb/read-words.ts";
import { UsageError } from "../verb/run-verb.ts";

type GivenStore = Readonly<{
  endpoint: string;
  region: string;
  bucket: string | null;
  accessKeyId: string;
  secretAccessKey: string;
}>;

export type DrillOptions = Readonly<{
  json: boolean;
  keep: boolean;
  help: boolean;
  seed: number;
  rows: number;
  sizeBytes: number;
  loadMs: number;
  maxRtoMs: number | null;
  maxRpoMs: number | null;
  store: GivenStore | null;
}>;

export const usage =
  "usage: npm run drill -- [--json] [--rows N] [--size 300MB] [--load 60s] [--seed S] [--keep]\n" +
  "         [--max-rto 3s] [--max-rpo 1500ms] [--store URL [--bucket NAME] [--region NAME]]\n" +
  "       --store takes its keys from LITESTREAM_ACCESS_KEY_ID and LITESTREAM_SECRET_ACCESS_KEY";

type Environment = Readonly<Record<string, string | undefined>>;
type Values = ReturnType<typeof parseWords>;

/** Reads the drill's command line. Throws UsageError, naming the flag, on anything that is not understood. */
export function readArguments(words: readonly string[], environment: Environment): DrillOptions {
  const values = parseWords(words);
  return Object.freeze({
    json: values.json,
    keep: values.keep,
    help: values.help,
    seed: readFlag("seed", values.seed, (given) => parseWholeNumber(given, 2 ** 32 - 1)) ?? randomInt(2 ** 32),
    rows: readFlag("rows", values.rows, (given) => parseWholeNumber(given, 100_000_000)) ?? 0,
    sizeBytes: readFlag("size", values.size, parseSizeBytes) ?? 0,
    loadMs: readFlag("load", values.load, parseDurationMs) ?? 0,
    maxRtoMs: readFlag("max-rto", values["max-rto"], parseLimitMs),
    maxRpoMs: readFlag("max-rpo", values["max-rpo"], parseLimitMs),
    store: readGivenStore(values, environment),
  });
}

function parseWords(words: readonly string[]) {
  return readWords(words, {
    json: flag,
    keep: flag,
    help: flag,
    seed: text,
    rows: text,
    size: text,
    load: text,
    "max-rto": text,
    "max-rpo": text,
    store: text,
    bucket: text,
    region: text,
  });
}

function readFlag(name: string, given: string | undefined, parse: (given: string) => number): number | null {
  if (given === undefined) return null;
  try {
    return parse(given);
  } catch (error) {
    throw new UsageError(`--${name}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}

function readGivenStore(values: Values, environment: Environment): GivenStore | null {
  if (values.store === undefined) {
    if (values.bucket !== undefined) throw new UsageError("--bucket needs --store URL");
    if (values.region !== undefined) throw new UsageError("--region needs --store URL");
    return null;
  }
  if (!URL.canParse(values.store) || !/^https?:\/\//.test(values.store)) {
    throw new UsageError(`--store: "${values.store}" is not a http or https URL`);
  }
  return {
    endpoint: values.store,
    region: values.region ?? "us-east-1",
    bucket: values.bucket ?? null,
    accessKeyId: readKey(environment, "LITESTREAM_ACCESS_KEY_ID"),
    secretAccessKey: readKey(environment, "LITESTREAM_SECRET_ACCESS_KEY"),
  };
}

function readKey(environment: Environment, name: string): string {
  const key = environment[name];
  if (key === undefined || key === "") throw new UsageError(`--store needs its key in the environment: set ${name}`);
  return key;
}
