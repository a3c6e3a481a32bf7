import { request } from "node:http";

import { Type } from "typebox";

import { findLitestream } from "./find-litestream.ts";
import { parseJson, ShapeError } from "./parse-json.ts";

const SyncAnswerSchema = Type.Object({ status: Type.String(), txid: Type.Number(), replicated_txid: Type.Number() });
const InfoSchema = Type.Object({ version: Type.String(), pid: Type.Number() });

/**
 * Litestream's control socket did not do what was asked: not there, no database yet, store unreachable, out of time.
 */
class LitestreamFailed extends Error {
  override readonly name = "LitestreamFailed";
}

/**
 * Asks the running Litestream to stage and upload everything committed before this call, and waits for it.
 * Returns the replicated TXID as 16 hex digits. Throws LitestreamFailed, also when our own limit passes: Litestream
 * keeps its own only loosely (109 s for 2 s, measured).
 */
export async function syncReplica(socketPath: string, databasePath: string, limitMs: number): Promise<string> {
  const body = JSON.stringify({ path: databasePath, wait: true, timeout: Math.ceil(limitMs / 1000) });
  const answer = await call({ socketPath, method: "POST", path: "/sync", body, limitMs });
  const sync = parseJson(SyncAnswerSchema, answer, "Litestream's answer to POST /sync");
  return BigInt(sync.replicated_txid).toString(16).padStart(16, "0");
}

/**
 * Kills the Litestream behind a socket at once: what a superseded machine still holds must not be uploaded. One that is
 * not there is dead already. The kernel must confirm that the process is ours: it listens on the socket, or holds the
 * lock that Litestream runs under, which also finds one that is frozen and answers nothing. Returns the pids.
 */
export async function killLitestream(socketPath: string, lockPath?: string): Promise<number[]> {
  const told = await askPid(socketPath);
  const pids = findLitestream(told, { socketPath, ...(lockPath !== undefined && { lockPath }) });
  return pids.filter((pid) => killProcess(pid));
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
    // Gone meanwhile, or another user's, which Litestream is not.
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
