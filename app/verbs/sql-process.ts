import { type ChildProcess, fork } from "node:child_process";
import { extname } from "node:path";
import { fileURLToPath } from "node:url";

import type { Table } from "../database/read-by-hand.ts";

export type SqlOrder = { text: string; mostRows: number };
export type SqlAnswer =
  | { kind: "ready" }
  | { kind: "done"; table: Table }
  | { kind: "refused" | "failed"; cause: string };

/** The statement gave no rows. The message says why. */
export class StatementFailed extends Error {}

/** In a release all files lie in one directory. */
const program = extname(import.meta.filename) === ".ts" ? "../sql-runner.ts" : "./sql-runner.mjs";
const startLimitMs = 30_000;

/**
 * Reads in a process of its own, which ends with the limit of a statement and begins again with the next one: a long
 * reader keeps the WAL from being reset, until writes are refused.
 */
export class SqlProcess implements Disposable {
  readonly #databasePath: string;
  readonly #limitMs: number;
  #child: ChildProcess | null = null;

  constructor(databasePath: string, limitMs: number) {
    this.#databasePath = databasePath;
    this.#limitMs = limitMs;
  }

  /** Throws StatementFailed when it is wrong, takes too long, or is stopped. */
  async run(order: SqlOrder): Promise<Table> {
    const child = this.#child ?? (await this.#start());
    const answer = await this.#ask(child, this.#limitMs, () => child.send(order));
    if (answer.kind === "done") return answer.table;
    throw new StatementFailed(answer.kind === "ready" ? "it began anew" : explain(answer.cause));
  }

  /** Ends the statement that runs. */
  stop(): void {
    this.#child?.kill("SIGKILL");
  }

  [Symbol.dispose](): void {
    this.stop();
  }

  async #start(): Promise<ChildProcess> {
    const path = fileURLToPath(new URL(program, import.meta.url));
    // Its words are told below, once. It needs no key of the bucket.
    const child = fork(path, [this.#databasePath], {
      stdio: ["ignore", "ignore", "pipe", "ipc"],
      serialization: "advanced",
      env: {},
    });
    this.#child = child;
    child.once("exit", () => (this.#child = this.#child === child ? null : this.#child));
    await this.#ask(child, startLimitMs, () => undefined);
    return child;
  }

  async #ask(child: ChildProcess, limitMs: number, begin: () => void): Promise<SqlAnswer> {
    const { promise, resolve, reject } = Promise.withResolvers<SqlAnswer>();
    let words = "";
    let isLate = false;
    const hear = (chunk: Buffer) => (words += chunk.toString());
    const fail = () => reject(new StatementFailed(describeEnd(isLate ? limitMs : null, words)));
    const timer = setTimeout(() => {
      isLate = true;
      child.kill("SIGKILL");
    }, limitMs);
    child.once("message", resolve).once("close", fail);
    child.stderr?.on("data", hear);
    try {
      begin();
      return await promise;
    } finally {
      clearTimeout(timer);
      child.off("message", resolve).off("close", fail);
      child.stderr?.off("data", hear);
    }
  }
}

function explain(cause: string): string {
  return /^no such (?:table|column)/.test(cause)
    ? `${cause}; what there is: select name, sql from sqlite_schema`
    : cause;
}

function describeEnd(limitMs: number | null, words: string): string {
  if (limitMs !== null)
    return `it took longer than ${limitMs / 1000} s and was stopped, for a long reader keeps the WAL from being reset; --limit allows more`;
  const [, message] = /^\w*(?:Error|Damaged): (.*)$/m.exec(words) ?? [];
  return message ?? "it was stopped: by hand, or because it took too much memory";
}
