import { execFile } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { promisify } from "node:util";

import { Type } from "typebox";

import { findLitestream } from "./find-litestream.ts";
import { parseJson, ShapeError } from "./parse-json.ts";

const SyncAnswerSchema = Type.Object({ status: Type.String(), txid: Type.Number(), replicated_txid: Type.Number() });
const InfoSchema = Type.Object({ version: Type.String(), pid: Type.Number() });

/**
 * Litestream's control socket did not do what was asked: it is missing, there is no database yet, the store is
 * unreachable, or time ran out.
 */
class LitestreamFailed extends Error {
  override readonly name = "LitestreamFailed";
}

/**
 * Checks before anything is claimed that Litestream exists and has a safe version. 0.5.17 is the first whose SQLite
 * does not corrupt a WAL that two processes checkpoint. Throws an Error that says so.
 */
export async function assertLitestream(path: string, limitMs = versionLimitMs): Promise<void> {
  const version = await readVersion(path, limitMs);
  const patch = /^v?0\.5\.(\d+)$/.exec(version)?.[1];
  if (patch !== undefined && Number(patch) >= oldestPatch) return;
  throw new Error(`${path} is Litestream ${version}; 0.5.${oldestPatch} or a newer 0.5 is needed`);
}

/**
 * Who is at fault when Litestream fails: the store, which `store-fails` for a while or `store-refuses` for good; or
 * `late`, a time limit that may be the store's or the caller's.
 */
export type Blame = "store-fails" | "store-refuses" | "late" | "machine";

/** The first match counts: a store also reports a clock skew or a throttled key with 403. */
const blames: readonly (readonly [Blame, RegExp])[] = [
  [
    "store-fails",
    /StatusCode: (?:0|408|429|5(?!01)\d\d)\b|SlowDown|Throttl|TooManyRequests|InternalError|ServiceUnavailable|RequestTimeout|RequestTimeTooSkewed|InvalidAccessKeyId/i,
  ],
  // Errors of Go's network library.
  [
    "store-fails",
    /dial tcp|no such host|server misbehaving|connection (?:refused|reset|lost)|closed network connection|broken pipe|(?:i\/o|handshake) timeout|network is unreachable|no route to host/i,
  ],
  ["store-refuses", /StatusCode: 40[13]\b|AccessDenied|Forbidden|SignatureDoesNotMatch|x509: /i],
  ["late", /deadline exceeded|Client\.Timeout/i],
  ["machine", /no progress for|cannot be run/],
];

/**
 * Who is at fault according to a message of Litestream, or our own about its restore. Null leaves it open: then the
 * files may be wrong.
 */
export function findBlame(words: string): Blame | null {
  return blames.find(([, pattern]) => pattern.test(words))?.[0] ?? null;
}

/**
 * Asks the running Litestream to stage and upload everything committed before this call, and waits for it. Returns the
 * replicated TXID as 16 hex digits. Throws LitestreamFailed, also when our own time limit passes: Litestream exceeds
 * its own (109 s instead of 2 s, measured).
 */
export async function syncReplica(socketPath: string, databasePath: string, limitMs: number): Promise<string> {
  const body = JSON.stringify({ path: databasePath, wait: true, timeout: Math.ceil(limitMs / 1000) });
  const answer = await call({ socketPath, method: "POST", path: "/sync", body, limitMs });
  const sync = parseJson(SyncAnswerSchema, answer, "Litestream's answer to POST /sync");
  return BigInt(sync.replicated_txid).toString(16).padStart(16, "0");
}

/**
 * Kills the Litestream behind a socket at once, because a superseded machine must not upload what it still holds. A
 * missing one counts as dead. The kernel must confirm that the process is ours: it listens on the socket, or holds the
 * lock that Litestream runs under. The lock also finds one that is frozen. Returns the pids.
 */
export async function killLitestream(socketPath: string, lockPath?: string): Promise<number[]> {
  const reportedPid = await askPid(socketPath);
  const pids = findLitestream(reportedPid, { socketPath, ...(lockPath !== undefined && { lockPath }) });
  return pids.filter((pid) => killProcess(pid));
}

const oldestPatch = 17;
const versionLimitMs = 30_000;

async function readVersion(path: string, limitMs: number): Promise<string> {
  try {
    const { stdout } = await promisify(execFile)(path, ["version"], { timeout: limitMs });
    return stdout.trim();
  } catch (cause) {
    const isLate = cause instanceof Error && "killed" in cause && cause.killed === true;
    const fault = isLate
      ? `does not even tell its version within ${limitMs / 1000} s: is this machine overloaded, or its disk?`
      : "cannot be run: install Litestream, or say where it is in LIFEBOAT_LITESTREAM";
    throw new Error(`${path} ${fault}`, { cause });
  }
}

async function askPid(socketPath: string): Promise<number | null> {
  try {
    const answer = await call({ socketPath, method: "GET", path: "/info", body: "", limitMs: infoLimitMs });
    return parseJson(InfoSchema, answer, "Litestream's answer to GET /info").pid;
  } catch (error) {
    if (error instanceof LitestreamFailed || error instanceof ShapeError) return null;
    throw error;
  }
}

function killProcess(pid: number): boolean {
  try {
    return process.kill(pid, "SIGKILL");
  } catch (error) {
    // It has ended, or belongs to another user, so it is not Litestream.
    if (error instanceof Error && "code" in error && (error.code === "ESRCH" || error.code === "EPERM")) return false;
    throw error;
  }
}

const infoLimitMs = 1_000;

type Call = { socketPath: string; method: "GET" | "POST"; path: string; body: string; limitMs: number };

function call({ socketPath, method, path, body, limitMs }: Call): Promise<string> {
  const doing = `Litestream ${method} ${path}`;
  return new Promise((resolve, reject) => {
    const failed = (detail: string, cause?: unknown) => reject(new LitestreamFailed(`${doing}: ${detail}`, { cause }));
    const outgoing = request({ socketPath, method, path, signal: AbortSignal.timeout(limitMs) }, (answer) => {
      let text = "";
      answer.setEncoding("utf8");
      answer.on("data", (chunk: string) => (text += chunk));
      answer.on("error", (error) => failed(error.message, error));
      answer.on("end", () =>
        answer.statusCode === 200 ? resolve(text) : failed(`${answer.statusCode} ${text.trim()}`),
      );
    });
    outgoing.on("error", (error) =>
      failed(error.name === "TimeoutError" ? `no answer in ${limitMs} ms` : error.message, error),
    );
    outgoing.end(body);
  });
}

/**
 * The newest TXID that Litestream has staged on a disk. Null when there is none. Litestream 0.5 names staged files as
 * those in the bucket, and never deletes the newest (MaxLTX in its db.go).
 */
export function readStagedTxid(litestreamState: string): string | null {
  const folder = join(litestreamState, "ltx", "0");
  const names = existsSync(folder) ? readdirSync(folder) : [];
  const staged = names.flatMap((name) => stagedFile.exec(name)?.[1] ?? []);
  return staged.toSorted().at(-1) ?? null;
}

const stagedFile = /^[0-9a-f]{16}-([0-9a-f]{16})\.ltx$/;
