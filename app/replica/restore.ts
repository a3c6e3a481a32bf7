import { spawn } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { Type } from "typebox";

import { sizeOf } from "../durable-file.ts";
import { openBucket } from "./bucket.ts";
import { litestreamEnvironment, renderBucketConfig, renderStagedConfig } from "./litestream-config.ts";
import type { Machine } from "./machine.ts";
import { parseJson } from "./parse-json.ts";
import { stageChain, type Staging } from "./stage-chain.ts";

/** Litestream itself waits forever for a server that accepts and never answers (measured). */
export const restoreStallMs = 60_000;

const AnswerSchema = Type.Object({ txid: Type.String({ pattern: "^[0-9a-f]{16}$" }) });

/** Litestream could not restore. `message` holds its last lines. */
export class RestoreFailed extends Error {
  override readonly name = "RestoreFailed";
}

type RestoreOptions = {
  stallLimitMs?: number;
  /** The state to restore instead of the newest. */
  txid?: string | undefined;
  /** Whether the disk must not run full: then nobody tries whether a second copy of the files has room on it. */
  isTight?: boolean;
  /** Gets the cause when the files could not be fetched side by side. */
  onDetour?: (cause: string) => void;
};

/** Where a restore reads from, and where its files lie. */
export type RestoringMachine = Pick<Machine, "bucket" | "files" | "litestreamPath">;

export type Restored = { path: string; txid: string };

/**
 * Restores the newest state of an epoch, or that of `txid`, into an empty directory. Returns the file's path and its
 * TXID. Never uses Litestream's `-if-replica-exists`, which takes a mistyped prefix for an empty replica. Gives up
 * after `stallLimitMs` without progress. Throws RestoreFailed and removes partial files.
 *
 * The files are fetched side by side first, where there is room for them: Litestream 0.5.17 opens
 * them one after the other. Whatever goes wrong there, `onDetour` is told, and Litestream fetches them itself: it has
 * the last word.
 */
export async function restoreEpoch(
  machine: RestoringMachine,
  epoch: string,
  options: RestoreOptions = {},
): Promise<Restored> {
  const { restored } = machine.files;
  const { stallLimitMs = restoreStallMs, txid } = options;
  try {
    empty(restored);
    const words = txid === undefined ? [] : ["-txid", txid];
    const staging = { epoch, folder: join(restored, "staged"), stallMs: stallLimitMs, txid };
    const found = await restoreSideBySide(machine, { staging, words }, options);
    if (found !== null) return found;
    empty(restored);
    return await runRestore(machine, { config: renderBucketConfig(machine, epoch), words, stallLimitMs });
  } catch (error) {
    rmSync(restored, { recursive: true, force: true });
    throw new RestoreFailed(`restoring epoch ${epoch}: ${sayWhy(error)}`, { cause: error });
  }
}

function empty(directory: string): void {
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { mode: 0o700 });
}

/** Null when Litestream shall fetch the files itself: there are few, or no whole chain, of which it says more. */
async function restoreSideBySide(
  machine: RestoringMachine,
  { staging, words }: { staging: Staging; words: readonly string[] },
  { isTight = false, onDetour }: RestoreOptions,
): Promise<Restored | null> {
  if (isTight) return null;
  try {
    mkdirSync(staging.folder, { mode: 0o700 });
    const planned = await stageChain(openBucket(machine.bucket), staging);
    if (planned === null) return null;
    const config = renderStagedConfig(machine, staging.folder);
    const found = await runRestore(machine, { config, words, stallLimitMs: staging.stallMs });
    if (found.txid < planned) throw new Error(`the files fetched reach ${planned}, what they gave ${found.txid}`);
    rmSync(staging.folder, { recursive: true });
    return found;
  } catch (error) {
    onDetour?.(sayWhy(error));
    return null;
  }
}

function sayWhy(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

type Run = { config: string; words: readonly string[]; stallLimitMs: number };

/** Runs Litestream. Throws its last lines. */
async function runRestore(machine: RestoringMachine, { config, words, stallLimitMs }: Run): Promise<Restored> {
  const { restored, restoreConfig, database } = machine.files;
  writeFileSync(restoreConfig, config, { mode: 0o600 });
  const output = join(restored, "app.db");
  // Otherwise a "$" in a path would be expanded as a variable.
  const args = ["restore", "-config", restoreConfig, "-no-expand-env", "-json", "-o", output, ...words, database];
  const child = spawn(machine.litestreamPath, args, {
    stdio: ["ignore", "pipe", "pipe"],
    env: litestreamEnvironment(machine),
  });
  let answer = "";
  let said = "";
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => (answer += chunk));
  child.stderr.setEncoding("utf8").on("data", (chunk: string) => (said = (said + chunk).slice(-2_000)));
  const watchdog = watchProgress(
    () => [sizeOf(`${output}.tmp`), bytesRead(child.pid)],
    stallLimitMs,
    () => {
      said = `no progress for ${stallLimitMs / 1000} s, given up`;
      child.kill("SIGKILL");
    },
  );
  const ended = new Promise<void>((resolve, reject) => {
    child.once("error", (error) => reject(new Error(`${machine.litestreamPath} cannot be run`, { cause: error })));
    child.once("close", (code, signal) => {
      if (code === 0) resolve();
      else reject(new Error(lastLine(said) || `it ended with ${signal ?? code} and without a word`));
    });
  });
  await ended.finally(() => clearInterval(watchdog));
  return { path: output, txid: parseJson(AnswerSchema, answer, "the answer of litestream restore").txid };
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
