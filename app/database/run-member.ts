import type Database from "better-sqlite3";

import { type Command, makeCommandContext } from "./command.ts";
import { findReplay, type Idempotency, nothingToReplay, storeResult } from "./idempotency.ts";
import { isDiskFull, toDiskFailed } from "./sqlite-failure.ts";
import { prepareStatement, runTransaction } from "./transaction.ts";
import { CommandRejected, type WriteOutcome } from "./write-outcome.ts";
import type { WriteRequest } from "./writer-messages.ts";

type Engine = {
  db: Database.Database;
  commands: ReadonlyMap<string, Command>;
  nowMs: () => number;
  runningMs: () => number;
};

/**
 * Runs one command of a group in a savepoint of its own. A failure undoes this command alone and is an outcome.
 * Throws only when SQLite has rolled the whole transaction back by itself (full disk, I/O error, RAISE(ROLLBACK)), and
 * when the disk failed.
 */
export function runMember(engine: Engine, request: WriteRequest): WriteOutcome {
  const { db } = engine;
  prepareStatement(db, "savepoint member").run();
  try {
    const outcome = runOnce(engine, request);
    prepareStatement(db, "release member").run();
    return outcome;
  } catch (error) {
    if (!db.inTransaction || toDiskFailed(error, db.name) !== undefined) throw error;
    prepareStatement(db, "rollback to member").run();
    prepareStatement(db, "release member").run();
    return describeFailure(request, error);
  }
}

function runOnce(engine: Engine, request: WriteRequest): WriteOutcome {
  if (request.idempotency === undefined) {
    if (request.replayOnly === true) throw nothingToReplay();
    return { outcome: "done", resultJson: runCommand(engine, request), replayed: false };
  }
  // Different commands never share a stored result, whatever the caller's fingerprint covers.
  const fingerprint = `${request.command} ${request.idempotency.fingerprint}`;
  const idempotency: Idempotency = { ...request.idempotency, fingerprint };
  const known = findReplay(engine.db, idempotency);
  if (known !== undefined) return { outcome: "done", resultJson: known, replayed: true };
  if (request.replayOnly === true) throw nothingToReplay();
  const resultJson = runCommand(engine, request);
  storeResult(engine.db, idempotency, resultJson, { nowMs: engine.nowMs(), runningMs: engine.runningMs() });
  return { outcome: "done", resultJson, replayed: false };
}

// The result becomes JSON before COMMIT, so that one that cannot travel fails its command instead of its answer.
function runCommand(engine: Engine, request: WriteRequest): string {
  const command = engine.commands.get(request.command);
  if (command === undefined) throw new Error("no such command; add it to the product's commands");
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- checked before it was sent
  const transaction = command.run(request.input as never, makeCommandContext(engine.nowMs()));
  return JSON.stringify(runTransaction(engine.db, transaction) ?? null);
}

function describeFailure(request: WriteRequest, error: unknown): WriteOutcome {
  if (error instanceof CommandRejected) {
    return { outcome: "rejected", code: error.code, status: error.status, detail: error.detail };
  }
  const cause = error instanceof Error ? error.message : String(error);
  if (isDiskFull(error)) return { outcome: "refused", reason: "disk-full", detail: cause };
  return { outcome: "failed", command: request.command, cause, stack: renderStack(error) };
}

/** The stack with those of its causes: an error itself does not travel between threads with its class and fields. */
function renderStack(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { stack = String(error), cause } = error;
  return cause === undefined ? stack : `${stack}\ncaused by ${renderStack(cause)}`;
}
