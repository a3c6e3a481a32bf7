import { extname } from "node:path";

import type { FastifyInstance } from "fastify";
import type { Logger } from "pino";

import type { AppConfig } from "./config.ts";
import { findCommitSequence, type CommitSequence } from "./database/commit-sequence.ts";
import { openDatabase } from "./database/open-database.ts";
import { openReader } from "./database/reader.ts";
import { startWriter, type Writer } from "./database/writer.ts";
import { exitCodes } from "./exit-codes.ts";
import { buildServer } from "./http/server.ts";
import { fsyncPath } from "./replica/durable-file.ts";
import { killLitestream } from "./replica/litestream.ts";
import { lockDirectory } from "./replica/lock.ts";
import type { Machine } from "./replica/machine.ts";
import { readMark, writeMark, type Mark } from "./replica/mark.ts";
import { openReplication } from "./replica/open-replication.ts";
import { Superseded } from "./replica/own-head.ts";
import type { Replication } from "./replica/replication.ts";
import { isDatabase } from "./replica/survey.ts";
import { runProcess } from "./run-process.ts";

const mebibyte = 1024 * 1024;
const writerLimits = { queueLimit: 2_000, walAlarmBytes: 128 * mebibyte, walLimitBytes: 1024 * mebibyte };
const bucketTimeoutMs = 5_000;
const backupPointTimeoutMs = 600_000;
const finalSyncTimeoutMs = 20_000;
const fencedAnswersMs = 500;

await runProcess(serve);

type Ending = { signal: string } | { fencedBy: string } | { failure: Error };
type Life = {
  machine: Machine;
  mark: Mark;
  writer: Writer;
  replication: Replication;
  server: FastifyInstance;
  log: Logger;
};

/** The server process: writer thread, replication and HTTP, until a signal, a fence or a failure ends it. */
async function serve(config: AppConfig, log: Logger): Promise<number> {
  const { machine } = config;
  using _directory = lockDirectory(machine.files.lock);
  const mark = takeUpMark(machine);
  const ended = Promise.withResolvers<Ending>();
  for (const signal of ["SIGTERM", "SIGINT"]) process.once(signal, () => ended.resolve({ signal }));
  try {
    const life = await Promise.race([start({ config, mark, log, end: ended.resolve }), failOnSignal(ended.promise)]);
    return await end(life, await ended.promise);
  } catch (error) {
    if (!(error instanceof Superseded)) throw error;
    log.error({ cause: error.message }, "superseded before serving");
    await killLitestream(machine.files.litestreamSocket);
    return exitCodes.fenced;
  }
}

/**
 * A mark that speaks of a clean stop must not outlive the first write; one of an earlier OS boot means that nobody has
 * judged this database since.
 */
function takeUpMark(machine: Machine): Mark {
  const mark = readMark(machine.files.mark);
  if (mark?.bootId !== machine.bootId)
    throw new Error(`boot has not prepared ${machine.files.dataDirectory} since the system started; start boot first`);
  if (!isDatabase(machine.files.database))
    throw new Error(`${machine.files.database} is gone or empty; start boot, which restores it`);
  if (mark.cleanStop === null) return mark;
  const living = { ...mark, cleanStop: null };
  writeMark(machine.files.mark, living);
  return living;
}

/**
 * Rejects when a signal comes; raced with the start, which may wait for the store without an end. The mark tells of no
 * clean stop by then.
 */
async function failOnSignal(ended: Promise<Ending>): Promise<never> {
  const ending = await ended;
  if ("signal" in ending) throw new Error(`${ending.signal} came before the server was up`);
  return Promise.withResolvers<never>().promise;
}

type Start = { config: AppConfig; mark: Mark; log: Logger; end: (ending: Ending) => void };

/** Opens writer and replication side by side, for both are on the way to the first answer. */
async function start({ config, mark, log, end: stop }: Start): Promise<Life> {
  const { machine } = config;
  const opening = openReplication(machine, mark, {
    log: (event, details) => log.info(details, event),
    onFenced: (fencedBy) => stop({ fencedBy }),
  });
  const starting = startWriter({
    databasePath: machine.files.database,
    threadUrl: new URL(`./writer-thread${extname(import.meta.filename)}`, import.meta.url),
    ...writerLimits,
    beforeMigration: async () => (await opening).upload(backupPointTimeoutMs),
    log,
  });
  const [replication, writer] = await Promise.all([opening, starting]);
  writer.onFailure((failure) => stop({ failure }));
  const reader = openReader(machine.files.database);
  const { tokenDigests, host, port } = config;
  const server = buildServer({
    writer,
    reader,
    replication,
    config: { tokenDigests, defaultDurability: "disk", bucketTimeoutMs },
    log,
  });
  await server.listen({ host, port });
  log.info({ host, port, epoch: mark.epoch }, "serving");
  return { machine, mark, writer, replication, server, log };
}

function end(life: Life, ending: Ending): Promise<number> {
  if ("failure" in ending) throw ending.failure;
  return "signal" in ending ? stopCleanly(life) : leaveFenced(life, ending.fencedBy);
}

/**
 * Requests first, then the queue, then a checked sync; only then may the mark say that nothing is missing from the
 * bucket.
 */
async function stopCleanly({ server, writer, replication, machine, mark, log }: Life): Promise<number> {
  await server.close();
  await writer.drain();
  const txid = await replication.stop(finalSyncTimeoutMs);
  await writer.close();
  // `commit` groups were not fsynced, and the mark must not outlive them. Only the WAL: opening the database would drop
  // its locks.
  fsyncPath(`${machine.files.database}-wal`);
  const position = readPosition(machine.files.database);
  writeMark(machine.files.mark, { ...mark, bootId: machine.bootId, cleanStop: { txid, position } });
  log.info({ txid }, "stopped, everything is in the bucket");
  return 0;
}

/** On a connection that cannot write, so that its close leaves the WAL to Litestream. */
function readPosition(path: string): CommitSequence {
  const db = openDatabase(path, "reader");
  try {
    return findCommitSequence(db);
  } finally {
    db.close();
  }
}

/** Another machine serves: nothing more is written or uploaded here, and no supervisor starts this life again. */
async function leaveFenced({ server, writer, machine, log }: Life, fencedBy: string): Promise<number> {
  writer.refuse("fenced");
  log.error({ cause: fencedBy }, "fenced");
  await killLitestream(machine.files.litestreamSocket);
  // What is under way is still answered, as refused or not replicated.
  await Promise.race([server.close(), new Promise((resolve) => setTimeout(resolve, fencedAnswersMs))]);
  return exitCodes.fenced;
}
