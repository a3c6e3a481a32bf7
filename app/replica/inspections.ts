import { spawn } from "node:child_process";
import { extname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

import { type Static, Type } from "typebox";

import { sizeOf } from "../durable-file.ts";
import type { Bucket } from "./bucket.ts";
import { type Chain, fetchChain } from "./chain.ts";
import { litestreamEnvironment } from "./litestream-config.ts";
import type { Machine } from "./machine.ts";
import { parseJson } from "./parse-json.ts";
import type { InspectedLife, Inspection, Verdict } from "./replica-watch.ts";

/** Five minutes: at the smallest replication interval the listings cost about 20 cents a month on AWS. */
export const listingEveryMs = 300_000;

const firstAfterMs = 10_000;
const listings = 3;
const relistMs = 1_000;

/** Judges the replica by its listing: no gap, and nothing less than what was acknowledged. */
export function listingInspection(bucket: Bucket, everyMs = listingEveryMs): Inspection {
  return {
    name: "listing",
    // A restarted process knows nothing of earlier inspections.
    firstAfterMs: Math.min(everyMs, firstAfterMs),
    everyMs: () => everyMs,
    inspect: (life) => judgeListing(bucket, life),
  };
}

/** A listing taken during a compaction can look broken, so three in a row must agree. Throws BucketError. */
async function judgeListing(bucket: Bucket, { epoch, replicatedTxid }: InspectedLife): Promise<Verdict> {
  for (let listing = 1; ; listing++) {
    const verdict = judgeChain(await fetchChain(bucket, epoch), epoch, replicatedTxid);
    if (verdict.state === "sound" || listing === listings) return verdict;
    await sleep(relistMs);
  }
}

function judgeChain(chain: Chain, epoch: string, replicatedTxid: string): Verdict {
  if (chain.state === "empty") return { state: "broken", cause: `every file of epochs/${epoch}/ is gone` };
  if (chain.state !== "whole") return { state: "broken", cause: `epochs/${epoch}/: ${chain.missing}` };
  if (chain.newestTxid >= replicatedTxid) return { state: "sound" };
  const cause = `epochs/${epoch}/ ends at TXID ${chain.newestTxid}, but ${replicatedTxid} was replicated`;
  return { state: "broken", cause };
}

const hourMs = 3_600_000;
const dailyBytes = 1024 * 1024 * 1024;
const longestMs = hourMs;
/** In a release all files lie in one directory. */
const rehearsal = extname(import.meta.filename) === ".ts" ? "../rehearse.ts" : "./rehearse.mjs";

/** The input of a rehearsal, read from standard input so that no key appears on a command line. */
export const RehearsalOrderSchema = Type.Object({
  epoch: Type.String(),
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

const VerdictSchema = Type.Union([
  Type.Object({ state: Type.Literal("sound") }),
  Type.Object({
    state: Type.Union([Type.Literal("broken"), Type.Literal("damaged-here"), Type.Literal("unknown")]),
    cause: Type.String(),
  }),
]);

/**
 * Judges the replica by a restore that is compared with the live database, in a process of the lowest priority. It
 * reads about a gigabyte a day: a restore at most once an hour and at least once a day.
 */
export function restoreInspection(machine: Machine, everyMs = () => restoreEveryMs(machine)): Inspection {
  return {
    name: "restore",
    // Not while a machine that was just restored is busy.
    firstAfterMs: Math.min(everyMs(), 600_000),
    everyMs,
    inspect: ({ epoch }) => runRehearsal(machine, epoch),
  };
}

/** The pause between two restores. Reading costs money when the machine is not in the store's network. */
function restoreEveryMs({ files }: Pick<Machine, "files">): number {
  const bytes = sizeOf(files.database);
  return Math.min(24 * hourMs, Math.max(hourMs, (24 * hourMs * bytes) / dailyBytes));
}

async function runRehearsal(machine: Machine, epoch: string): Promise<Verdict> {
  const { files, machineId, bucketId, litestreamPath, bucket } = machine;
  const { dataDirectory, runDirectory } = files;
  const order: Static<typeof RehearsalOrderSchema> = {
    epoch,
    dataDirectory,
    runDirectory,
    machineId,
    bucketId,
    litestreamPath,
    bucket,
  };
  const program = fileURLToPath(new URL(rehearsal, import.meta.url));
  const answer = await runIdly(program, JSON.stringify(order), litestreamEnvironment(machine));
  return parseJson(VerdictSchema, answer, "the answer of the rehearsal");
}

/** Resolves with the program's output. Rejects with its last lines, and when it takes longer than an hour. */
function runIdly(program: string, order: string, env: NodeJS.ProcessEnv): Promise<string> {
  const words = ["-n", "19", process.execPath, program];
  const child = spawn("nice", words, {
    stdio: ["pipe", "pipe", "pipe"],
    env,
    timeout: longestMs,
    killSignal: "SIGKILL",
  });
  let [answer, complaint] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => (answer += chunk));
  child.stderr.setEncoding("utf8").on("data", (chunk: string) => (complaint = (complaint + chunk).slice(-2_000)));
  // It may end before it has read its input. Its exit is reported below.
  child.stdin.on("error", () => undefined).end(order);
  return new Promise((resolve, reject) => {
    child.once("error", (cause) => reject(new Error("nice(1) cannot be run: install coreutils", { cause })));
    child.once("close", (code) =>
      code === 0 ? resolve(answer) : reject(new Error(`the rehearsal ended with ${code}: ${complaint.trim()}`)),
    );
  });
}
