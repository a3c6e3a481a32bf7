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
import { killLitestream } from "./replica/litestream.ts";
import { lockDirectory } from "./replica/lock.ts";
import { readMark, writeMark } from "./replica/mark.ts";
import { Superseded } from "./replica/open-replication.ts";
import { takeUpDisk } from "./replica/take-up-disk.ts";
import { runProcess } from "./run-process.ts";
import { product } from "./service/product.ts";
import { endWithin, StopBudget } from "./stop-budget.ts";

/** Well inside TimeoutStopSec=60s of app.service, after which everything that is not in the bucket stays behind. */
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
  const mark = takeUpDisk(config.machine);
  const endings = new Endings(["SIGTERM", "SIGINT"]);
  const life = await beginLife({ product, config, mark, log, endings });
  const ending = await endings.first;
  try {
    return await Promise.race([end(life, ending), failOnFence(endings)]);
  } catch (error) {
    // A stop that fails because another machine has taken over is a fence all the same.
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

/** A fence also ends a stop that is under way. */
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
 * Requests and the background first, then the queue, then a checked sync; only then may the mark say that nothing is missing from the
 * bucket. Nothing before the sync can take its time away.
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
  // Also when the queue is stuck: what was committed goes to the bucket, though the mark must not say so.
  const syncMs = budget.share(finalSyncTimeoutMs, writerCloseTimeoutMs);
  const txid = await replication.stop(Math.round(syncMs));
  if (drained.status === "rejected") throw drained.reason;
  await endWithin("closing the writer", budget.share(writerCloseTimeoutMs), writer.close());
  // `commit` groups were not fsynced, and the mark must not outlive them. Only the WAL: a raw open of the database would drop
  // its locks.
  fsyncPath(`${machine.files.database}-wal`);
  const position = readDatabase(machine.files.database, findCommitSequence);
  // Read again: this life may have made a new base, with an epoch of its own, since it read the mark.
  const mark = readMark(machine.files.mark);
  if (mark === null) throw new Error(`${machine.files.mark} is gone: the next boot compares the disk with the bucket`);
  writeMark(machine.files.mark, { ...mark, bootId: machine.bootId, cleanStop: { txid, position } });
  log.info({ txid }, "stopped, everything is in the bucket");
  return 0;
}

/** Another machine serves: this one writes and uploads nothing more, and no supervisor restarts it. */
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

/** Pending requests still get an answer: refused, unknown or not replicated. */
async function answerLast({ server }: Life): Promise<void> {
  await Promise.race([server.close(), new Promise((resolve) => setTimeout(resolve, lastAnswersMs))]);
}
