import { spawn } from "node:child_process";
import { extname } from "node:path";
import { fileURLToPath } from "node:url";

import { type Static, Type } from "typebox";

import { litestreamEnvironment } from "./litestream-config.ts";
import type { Machine } from "./machine.ts";
import { parseJson } from "./parse-json.ts";
import type { Finding, Rehearsal } from "./rehearsal.ts";

/** In a release all files lie in one directory. */
const program = extname(import.meta.filename) === ".ts" ? "../rehearse.ts" : "./rehearse.mjs";

/** The input of a rehearsal, read from standard input so that no key appears on a command line. */
export const RehearsalOrderSchema = Type.Object({
  rehearsal: Type.Object({
    epoch: Type.String(),
    txid: Type.Optional(Type.String()),
    live: Type.Boolean(),
    depth: Type.Union([Type.Literal("quick"), Type.Literal("full")]),
    directory: Type.Optional(Type.String()),
    isTight: Type.Optional(Type.Boolean()),
  }),
  restoreStallMs: Type.Optional(Type.Number()),
  dataDirectory: Type.String(),
  runDirectory: Type.String(),
  machineId: Type.String(),
  bucketId: Type.String(),
  litestreamPath: Type.String(),
  bucket: Type.Object({
    bucket: Type.String(),
    region: Type.String(),
    endpoint: Type.Optional(Type.String()),
    pathStyle: Type.Boolean(),
    accessKeyId: Type.String(),
    secretAccessKey: Type.String(),
  }),
});

const FindingSchema = Type.Object({
  verdict: Type.Union([
    Type.Object({ state: Type.Literal("sound") }),
    Type.Object({
      state: Type.Union([Type.Literal("broken"), Type.Literal("damaged-here"), Type.Literal("unknown")]),
      cause: Type.String(),
    }),
  ]),
  isDenied: Type.Boolean(),
  copy: Type.Union([
    Type.Object({ txid: Type.String(), bytes: Type.Number(), sequence: Type.Number(), tables: Type.Number() }),
    Type.Null(),
  ]),
  compared: Type.Union([
    Type.Object({ tables: Type.Number(), rows: Type.Number(), whole: Type.Boolean() }),
    Type.Null(),
  ]),
});

/** What a rehearsal has to know of a machine. */
export type RehearsingMachine = Pick<Machine, "machineId" | "bucketId" | "litestreamPath" | "bucket" | "files">;

type RunOptions = {
  limitMs: number;
  restoreStallMs?: number;
  /** Makes it a process group of its own, and gets that group's number. */
  onGroup?: (group: number) => void;
};

/**
 * Runs a rehearsal in a process of the lowest priority. Rejects with its last words when it fails, and when it takes
 * longer than the limit.
 */
export async function runRehearsal(
  machine: RehearsingMachine,
  rehearsal: Rehearsal,
  { limitMs, restoreStallMs, onGroup }: RunOptions,
): Promise<Finding> {
  const { files, machineId, bucketId, litestreamPath, bucket } = machine;
  const order: Static<typeof RehearsalOrderSchema> = {
    rehearsal,
    ...(restoreStallMs !== undefined && { restoreStallMs }),
    dataDirectory: files.dataDirectory,
    runDirectory: files.runDirectory,
    machineId,
    bucketId,
    litestreamPath,
    bucket,
  };
  const path = fileURLToPath(new URL(program, import.meta.url));
  const run = { path, order: JSON.stringify(order), env: litestreamEnvironment(machine), limitMs, onGroup };
  return parseJson(FindingSchema, await runIdly(run), "the answer of the rehearsal");
}

type Run = {
  path: string;
  order: string;
  env: NodeJS.ProcessEnv;
  limitMs: number;
  onGroup: RunOptions["onGroup"];
};

/** Resolves with the program's output. Rejects with its last lines, or because of the limit. */
function runIdly({ path, order, env, limitMs, onGroup }: Run): Promise<string> {
  const isOwnGroup = onGroup !== undefined;
  const child = spawn("nice", ["-n", "19", process.execPath, path], {
    stdio: ["pipe", "pipe", "pipe"],
    env,
    detached: isOwnGroup,
  });
  if (isOwnGroup && child.pid !== undefined) onGroup(child.pid);
  let isLate = false;
  const limit = setTimeout(() => {
    isLate = true;
    // With its Litestream, where both have a group of their own.
    if (isOwnGroup && child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
    else child.kill("SIGKILL");
  }, limitMs);
  let [answer, complaint] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => (answer += chunk));
  child.stderr.setEncoding("utf8").on("data", (chunk: string) => (complaint = (complaint + chunk).slice(-2_000)));
  // It may end before it has read its input. Its exit is reported below.
  child.stdin.on("error", () => undefined).end(order);
  return new Promise<string>((resolve, reject) => {
    child.once("error", (cause) => reject(new Error("nice(1) cannot be run: install coreutils", { cause })));
    child.once("close", (code) => {
      if (isLate) reject(new Error(`the rehearsal did not end within ${limitMs / 1000} s`));
      else if (code === 0) resolve(answer);
      else reject(new Error(`the rehearsal ended with ${code}: ${complaint.trim()}`));
    });
  }).finally(() => clearTimeout(limit));
}
