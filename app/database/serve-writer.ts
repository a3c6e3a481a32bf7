import { type MessagePort, parentPort, workerData } from "node:worker_threads";

import type Database from "better-sqlite3";

import { type Command, indexCommands } from "./command.ts";
import { commitGroup, type GroupEngine } from "./group-commit.ts";
import { makeRunningClock } from "./idempotency.ts";
import { noteJobRun } from "./job-runs.ts";
import { applyMigrations, planMigrations } from "./migrate.ts";
import { describeMigration, type Migration, type MigrationNote, MigrationRefused } from "./migration.ts";
import { openDatabase } from "./open-database.ts";
import { countFailure, forgetPerformed, sendAgain } from "./outbox-commands.ts";
import { type OutboxHandler } from "./outbox.ts";
import type { MessageFromThread, MessageToThread, WriteRequest, WriterThreadData } from "./writer-messages.ts";

/** The part of a product that the writer thread needs. */
type WriterProduct = {
  commands: readonly Command[];
  migrations: readonly Migration[];
  /** Without it, a command that sends fails. */
  outbox?: readonly OutboxHandler[];
};

/** The kit's own commands. Their names begin with "_", which no name in a product may. */
const kitCommands: readonly Command[] = [forgetPerformed, countFailure, sendAgain, noteJobRun];

/**
 * The writer thread. Opens the only writable connection, migrates when the main thread says so, then commits groups
 * until it is told to close. An error ends the thread, and the main thread reports the outcomes as unknown.
 */
export function serveWriter(options: WriterProduct): void {
  if (parentPort === null) throw new Error("the writer serves only inside a worker thread; start it with startWriter");
  const port = parentPort;
  const { databasePath, fence, running }: WriterThreadData = workerData;
  const db = openDatabase(databasePath, "writer");
  const plan = tellRefusal(port, () => planMigrations(db, options.migrations));
  if (plan === undefined) return;
  const serveGroup = makeGroupLoop(port, {
    db,
    commands: indexCommands([...kitCommands, ...options.commands]),
    isFenced: () => Atomics.load(fence, 0) === 1,
    onRunning: (id) => void Atomics.store(running, 0, BigInt(id ?? 0)),
    nowMs: () => Date.now(),
    runningMs: makeRunningClock(db, () => performance.now()),
    groupWorkMs: 5,
    handlers: new Set((options.outbox ?? []).map(({ name }) => name)),
  });
  port.on("message", (message: MessageToThread) => {
    switch (message.kind) {
      case "migrate":
        return migrate(port, db, plan.pending, message.restorePoint);
      case "execute":
        return serveGroup(message.requests);
      case "close":
        db.close();
        return port.close();
      default:
        message satisfies never;
    }
  });
  const { pending, unknown, holdsData } = plan;
  send(port, { kind: "opened", pending: pending.map(describeMigration), unknown, holdsData });
}

function migrate(
  port: MessagePort,
  db: Database.Database,
  pending: readonly Migration[],
  restorePoint: string | null,
): void {
  const onStep = (migration: MigrationNote): void => send(port, { kind: "step", migration });
  const done = tellRefusal(port, () => {
    applyMigrations(db, pending, { onStep, restorePoint });
    return true;
  });
  if (done === true) send(port, { kind: "migrated" });
}

// Sent as a message, because an error that ends the thread loses its class.
function tellRefusal<Result>(port: MessagePort, run: () => Result): Result | undefined {
  try {
    return run();
  } catch (error) {
    if (!(error instanceof MigrationRefused)) throw error;
    send(port, { kind: "refused", cause: error.message });
    return undefined;
  }
}

// Requests that arrive during a commit wait in the port and form the next group.
function makeGroupLoop(
  port: MessagePort,
  { handlers, ...parts }: Omit<GroupEngine, "outbox"> & { handlers: ReadonlySet<string> },
): (requests: readonly WriteRequest[]) => void {
  let hasSent = false;
  const onSend = (): void => {
    hasSent = true;
  };
  const engine: GroupEngine = { ...parts, outbox: { handlers, onSend } };
  const queue: WriteRequest[] = [];
  let isScheduled = false;
  function commitNext(): void {
    hasSent = false;
    const answers = commitGroup(engine, queue);
    send(port, { kind: "answers", answers, hasSent });
    isScheduled = queue.length > 0;
    if (isScheduled) setImmediate(commitNext);
  }
  return (requests) => {
    queue.push(...requests);
    if (!isScheduled) setImmediate(commitNext);
    isScheduled = true;
  };
}

function send(port: MessagePort, message: MessageFromThread): void {
  port.postMessage(message);
}
