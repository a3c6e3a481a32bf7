import type { Logger } from "pino";

import { type AppConfig, readConfig } from "./config.ts";
import { findCommitSequence } from "./database/commit-sequence.ts";
import { MigrationRefused } from "./database/migration.ts";
import { readDatabase } from "./database/open-database.ts";
import { fsyncPath } from "./durable-file.ts";
import { type Ending, Endings } from "./endings.ts";
import { exitCodes } from "./exit-codes.ts";
import { beginLife, closeTimeoutMs, type Life } from "./life.ts";
import { findProductFault } from "./product.ts";
import { beginRun } from "./replica/begin-run.ts";
import { killLitestream } from "./replica/litestream.ts";
import { lockDirectory } from "./replica/lock.ts";
import { readMark, writeMark } from "./replica/mark.ts";
import { Superseded } from "./replica/open-replication.ts";
import { runProcess } from "./run-process.ts";
import { product } from "./service/product.ts";
import { endWithin, StopBudget } from "./stop-budget.ts";

/** Well inside TimeoutStopSec=60s of app.service, after which systemd kills the app before its final sync. */
const stopTimeoutMs = 45_000;
const drainTimeoutMs = 10_000;
const finalSyncTimeoutMs = 20_000;
const writerCloseTimeoutMs = 3_000;
const lastAnswersMs = 500;

await runProcess(readConfig, serve);

/** The server process: writer thread, replication and HTTP, until a signal, a fence or a failure ends it. */
async function serve(config: AppConfig, log: Logger): Promise<number> {
  const fault = findProductFault(product);
  if (fault !== null) {
    log.error({ cause: fault }, "the product is refused; another start would end the same way");
    return exitCodes.refused;
  }
  using _directory = lockDirectory(config.machine.files.lock);
  const mark = beginRun(config.machine);
  const endings = new Endings(["SIGTERM", "SIGINT"]);
  const life = await beginLife({ product, config, mark, log, endings });
  const ending = await endings.first;
  try {
    return await Promise.race([end(life, ending), failOnFence(endings)]);
  } catch (error) {
    // Also when the stop failed because another machine has taken over.
    if (endings.fencedBy !== null) return await leaveFenced(life, endings.fencedBy);
    const refused = findRefusal(error);
    if (refused === undefined) throw error;
    const next = "correct the release, and deploy it: npm run up; by hand: docs/runbooks/by-hand.md";
    log.error({ cause: refused.message, next }, "the migrations are refused; another start would end the same way");
    return exitCodes.refused;
  }
}

function findRefusal(error: unknown): MigrationRefused | undefined {
  if (error instanceof MigrationRefused) return error;
  return error instanceof Error ? findRefusal(error.cause) : undefined;
}

/** Lets a fence end a clean stop half-way. */
async function failOnFence(endings: Endings): Promise<never> {
  throw new Superseded(await endings.fence);
}

async function end(life: Life, ending: Ending): Promise<number> {
  if ("signal" in ending) return stopCleanly(life, ending.signal);
  life.background.abort();
  if ("fencedBy" in ending) throw new Superseded(ending.fencedBy);
  await answerLast(life);
  throw ending.failure;
}

/**
 * Ends requests and background, drains the queue, syncs and checks. Only then does the mark get a clean stop, which
 * says that nothing is missing from the bucket. The budget keeps the sync's time free, however slow the steps before it
 * are.
 */
async function stopCleanly(life: Life, signal: string): Promise<number> {
  const { server, background, parts, machine, log } = life;
  const budget = new StopBudget(stopTimeoutMs);
  const closeShareMs = budget.share(closeTimeoutMs + 1_000);
  // Pending answers and the background both write, so both end before the queue drains.
  const resting = background.stop();
  await endWithin("closing the server", closeShareMs, server.close()).catch((err: unknown) =>
    log.warn({ err }, "the server does not close; the stop goes on"),
  );
  await resting;
  const { writerPart: writer, replicationPart: replication } = parts;
  if (writer === null || replication === null)
    throw new Error(`${signal} came before the server was up: ${parts.findStartCause() ?? ""}`);
  const reservedMs = finalSyncTimeoutMs + writerCloseTimeoutMs;
  const [drained] = await Promise.allSettled([writer.drain(budget.share(drainTimeoutMs, reservedMs))]);
  // Sync also when the queue is stuck, so that what was committed is in the bucket. Then the mark gets no clean stop.
  const syncMs = budget.share(finalSyncTimeoutMs, writerCloseTimeoutMs);
  const txid = await replication.stop(Math.round(syncMs));
  if (drained.status === "rejected") throw drained.reason;
  await endWithin("closing the writer", budget.share(writerCloseTimeoutMs), writer.close());
  // `commit` groups were not fsynced, and the mark must not outlive them. Never open the database file itself for this:
  // closing it would drop its locks.
  fsyncPath(`${machine.files.database}-wal`);
  const position = readDatabase(machine.files.database, findCommitSequence);
  // Read the mark again: a new base made in this life has replaced it.
  const mark = readMark(machine.files.mark);
  if (mark === null) throw new Error(`${machine.files.mark} is gone: the next boot compares the disk with the bucket`);
  writeMark(machine.files.mark, { ...mark, bootId: machine.bootId, cleanStop: { txid, position } });
  log.info({ txid }, "stopped, everything is in the bucket");
  return 0;
}

/** Stops all writes and uploads at once. The exit code keeps the supervisor from starting the app again. */
async function leaveFenced(life: Life, fencedBy: string): Promise<number> {
  const { parts, background, machine, log } = life;
  background.abort();
  parts.writerPart?.fence();
  log.error({ cause: fencedBy }, "fenced");
  const killedPids = await killLitestream(machine.files.litestreamSocket, machine.files.litestreamLock);
  log.info({ killedPids }, "Litestream is killed");
  await answerLast(life);
  return exitCodes.fenced;
}

/** Gives pending requests half a second for their answer: refused, unknown or not replicated. */
async function answerLast({ server }: Life): Promise<void> {
  await Promise.race([server.close(), new Promise((resolve) => setTimeout(resolve, lastAnswersMs))]);
}
