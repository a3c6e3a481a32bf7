import { randomInt } from "node:crypto";

import { type CommandLine, usageExitCode } from "../../app/cli/command-line.ts";
import { flag, readFlags, readValue, text, UsageError } from "../../app/cli/flags.ts";
import { parseDurationMs, parseSizeBytes, parseWholeNumber } from "../../app/cli/quantity.ts";
import { type Suite, suites } from "../virtual/server-image.ts";

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
  seed: number;
  rows: number;
  sizeBytes: number;
  loadMs: number;
  maxRtoMs: number | null;
  maxRpoMs: number | null;
  store: GivenStore | null;
  /** The round trip to the drill's own store; 0: none is added. */
  storeLatencyMs: number;
  room: Room;
  story: "disaster" | "mistake";
  /** Of the machine room; null: all of them. */
  act: ActName | null;
  /** How often the act "lost" is played. */
  times: number;
  debian: Suite;
  filesystem: "ext4" | "btrfs";
}>;

/** What can happen to a whole machine. */
export const actNames = ["lost", "kept", "rebuild", "frozen"] as const;
export type ActName = (typeof actNames)[number];
const rooms = ["process", "machine"] as const;
type Room = (typeof rooms)[number];
const filesystems = ["ext4", "btrfs"] as const;
const stories = ["disaster", "mistake"] as const;
/** Around the world and back takes 0.3 s. */
const mostLatencyMs = 1_000;

const flags = {
  json: flag("the report as one object, the last line of stdout; the transcript goes to stderr"),
  room: text(
    "NAME",
    "process (default), or machine: whole virtual machines with their own kernels and disks; needs root",
  ),
  story: text(
    "NAME",
    "of the process room: disaster (default), or mistake: a wrong delete, and the way back to the moment before",
  ),
  debian: text("NAME", "of the machine room: trixie (default) or bookworm"),
  filesystem: text("NAME", "of the machine room's volumes: ext4 (default) or btrfs"),
  act: text("NAME", "of the machine room: only lost, kept, rebuild or frozen"),
  times: text("N", "of the machine room: play lost N times, one machine after the other, and tell the medians"),
  rows: text("N", "this many more rows before the disaster"),
  size: text("SIZE", "this much more data before the disaster, such as 300MB"),
  load: text("TIME", "write for this long before the disaster, such as 60s"),
  seed: text("N", "contents and durations as in the drill that had this seed"),
  keep: flag("leave data and logs, and say where"),
  "max-rto": text("TIME", "fail when the recovery takes longer, such as 3s"),
  "max-rpo": text("TIME", "fail when `commit` writes of a longer time are lost, such as 1500ms"),
  store: text("URL", "another S3 store; keys in LITESTREAM_ACCESS_KEY_ID and LITESTREAM_SECRET_ACCESS_KEY"),
  bucket: text("NAME", "with --store: an empty bucket; without it one is made, and deleted"),
  region: text("NAME", "with --store: its region; us-east-1 without it"),
  "store-latency": text("TIME", "put the drill's own store this far away, such as 20ms: the round trip of a ping"),
} as const;

export const drillCommand: CommandLine<DrillOptions> = {
  name: "drill",
  about:
    "Rehearses the disaster on this computer: a machine dies with its disk, another one freezes and wakes up again.",
  flags,
  examples: [
    "--story mistake",
    "--room machine",
    "--size 300MB --max-rto 10s",
    "--json --seed 7",
    "--store http://127.0.0.1:9000",
  ],
  exitCodes: {
    0: "nothing that was acknowledged at `bucket` is lost, no row differs, no limit is passed",
    1: "something of that does not hold, or the drill broke down; the last lines say what",
    [usageExitCode]: "the command line is wrong; nothing was done",
    130: "interrupted; 143: terminated",
  },
  readArguments: (words) => readArguments(words, process.env),
};

type Environment = Readonly<Record<string, string | undefined>>;
type Values = ReturnType<typeof readFlags<typeof flags>>;

/** Reads the drill's command line. Throws UsageError, naming the flag, on anything that is not understood. */
export function readArguments(words: readonly string[], environment: Environment): DrillOptions {
  const values = readFlags(words, flags);
  const room = readChoice("room", values.room, rooms) ?? "process";
  refuseElsewhere(room, values);
  return Object.freeze({
    json: values.json,
    keep: values.keep,
    seed: readValue("seed", values.seed, (given) => parseWholeNumber(given, 2 ** 32 - 1)) ?? randomInt(2 ** 32),
    rows: readValue("rows", values.rows, (given) => parseWholeNumber(given, 100_000_000)) ?? 0,
    sizeBytes: readValue("size", values.size, parseSizeBytes) ?? 0,
    loadMs: readValue("load", values.load, parseDurationMs) ?? 0,
    maxRtoMs: readValue("max-rto", values["max-rto"], parseDurationMs),
    maxRpoMs: readValue("max-rpo", values["max-rpo"], parseDurationMs),
    store: readGivenStore(values, environment),
    storeLatencyMs: readLatency(values),
    room,
    story: readChoice("story", values.story, stories) ?? "disaster",
    act: readChoice("act", values.act, actNames),
    times: readTimes(values),
    debian: readChoice("debian", values.debian, suites) ?? suites[0],
    filesystem: readChoice("filesystem", values.filesystem, filesystems) ?? "ext4",
  });
}

function readChoice<Choice extends string>(name: string, given: string | undefined, choices: readonly Choice[]) {
  if (given === undefined) return null;
  const choice = choices.find((one) => one === given);
  if (choice === undefined) throw new UsageError(`--${name}: "${given}" is not ${choices.join(" or ")}`);
  return choice;
}

function readTimes({ act, times }: Values): number {
  const given = readValue("times", times, (words) => parseWholeNumber(words, 100));
  if (given === 0) throw new UsageError('--times: "0" plays nothing');
  if (given !== null && act !== undefined && act !== "lost") throw new UsageError("--times is of the act lost");
  return given ?? 1;
}

function readLatency({ store, "store-latency": latency }: Values): number {
  if (store !== undefined && latency !== undefined)
    throw new UsageError("--store-latency is of the drill's own store, and --store names another");
  const given = readValue("store-latency", latency, parseDurationMs) ?? 0;
  if (given > mostLatencyMs)
    throw new UsageError(`--store-latency: "${latency}" is more than 1s: no bucket is so far away`);
  return given;
}

/** A flag that would change nothing is a misunderstanding. */
function refuseElsewhere(room: Room, values: Values): void {
  const only = {
    process: ["size", "store", "bucket", "region", "story"],
    machine: ["act", "times", "debian", "filesystem"],
  } as const;
  const other = room === "process" ? "machine" : "process";
  for (const name of only[other])
    if (values[name] !== undefined)
      throw new UsageError(`--${name} is of the ${other} room, and this is the ${room} room`);
  if (values.story !== "mistake") return;
  for (const name of ["max-rto", "max-rpo"] as const)
    if (values[name] !== undefined) throw new UsageError(`--${name} is of the story disaster`);
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
