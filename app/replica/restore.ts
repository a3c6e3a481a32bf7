import { spawn } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { Type } from "typebox";

import { sizeOf } from "../durable-file.ts";
import { litestreamEnvironment, renderLitestreamConfig } from "./litestream-config.ts";
import type { Machine } from "./machine.ts";
import { parseJson } from "./parse-json.ts";

/** Litestream itself waits forever for a server that accepts and never answers (measured). */
export const restoreStallMs = 60_000;

const AnswerSchema = Type.Object({ txid: Type.String({ pattern: "^[0-9a-f]{16}$" }) });

/** Litestream could not restore. `message` holds its last lines. */
export class RestoreFailed extends Error {
  override readonly name = "RestoreFailed";
}

export type Restored = { path: string; txid: string };

/**
 * Restores the newest state of an epoch, or that of `txid`, into an empty directory. Returns the file's path and its
 * TXID. Never uses Litestream's `-if-replica-exists`, which takes a mistyped prefix for an empty replica. Gives up
 * after `stallLimitMs` without progress. Throws RestoreFailed and removes partial files.
 */
export async function restoreEpoch(
  machine: Machine,
  epoch: string,
  stallLimitMs = restoreStallMs,
  txid?: string,
): Promise<Restored> {
  const { restored, restoreConfig, database } = machine.files;
  rmSync(restored, { recursive: true, force: true });
  mkdirSync(restored, { mode: 0o700 });
  writeFileSync(restoreConfig, renderLitestreamConfig(machine, epoch), { mode: 0o600 });
  const output = join(restored, "app.db");
  // Otherwise a "$" in a path would be expanded as a variable.
  const args = ["restore", "-config", restoreConfig, "-no-expand-env", "-json", "-o", output];
  if (txid !== undefined) args.push("-txid", txid);
  args.push(database);
  try {
    const answer = await runRestore(machine, args, { output, stallLimitMs });
    return { path: output, txid: parseJson(AnswerSchema, answer, "the answer of litestream restore").txid };
  } catch (error) {
    rmSync(restored, { recursive: true, force: true });
    throw new RestoreFailed(`restoring epoch ${epoch}: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  }
}

type Watch = { output: string; stallLimitMs: number };

/** Resolves with the command's output. Rejects with its last lines. */
function runRestore(machine: Machine, args: string[], watch: Watch): Promise<string> {
  const child = spawn(machine.litestreamPath, args, {
    stdio: ["ignore", "pipe", "pipe"],
    env: litestreamEnvironment(machine),
  });
  let answer = "";
  let words = "";
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => (answer += chunk));
  child.stderr.setEncoding("utf8").on("data", (chunk: string) => (words = (words + chunk).slice(-2_000)));
  const watchdog = watchProgress(
    () => [sizeOf(`${watch.output}.tmp`), bytesRead(child.pid)],
    watch.stallLimitMs,
    () => {
      words = `no progress for ${watch.stallLimitMs / 1000} s, given up`;
      child.kill("SIGKILL");
    },
  );
  return new Promise<string>((resolve, reject) => {
    child.once("error", (error) => reject(new Error(`${machine.litestreamPath} cannot be run`, { cause: error })));
    child.once("close", (code, signal) => {
      if (code === 0) resolve(answer);
      else reject(new Error(lastLine(words) || `it ended with ${signal ?? code} and without a word`));
    });
  }).finally(() => clearInterval(watchdog));
}

/**
 * Before the first page is written, and between files, Litestream lists and opens many objects. On a slow store that
 * alone exceeds the limit, so bytes read count as progress too.
 */
function watchProgress(measure: () => [written: number, read: number], stallLimitMs: number, giveUp: () => void) {
  let progressAt = performance.now();
  let [size, seen] = [-1, 0];
  return setInterval(() => {
    const [written, read] = measure();
    if (written !== size || read >= seen + smallestAnswer)
      [size, seen, progressAt] = [written, read, performance.now()];
    if (performance.now() - progressAt > stallLimitMs) giveUp();
  }, 250);
}

/** In bytes. What a process reads to wake itself up is less. */
const smallestAnswer = 128;

/** Everything that a process has read, including from the network. 0 where the system does not report it. */
function bytesRead(pid: number | undefined): number {
  try {
    const [, read = "0"] = /^rchar: (\d+)$/m.exec(readFileSync(`/proc/${pid}/io`, "utf8")) ?? [];
    return Number(read);
  } catch {
    return 0;
  }
}

function lastLine(words: string): string {
  return words.trim().split("\n").at(-1) ?? "";
}
