import { hkdfSync } from "node:crypto";
import { renameSync, writeFileSync } from "node:fs";
import { extname } from "node:path";

import type { FastifyInstance } from "fastify";
import type { Logger } from "pino";

import { Background } from "./background/background.ts";
import type { AppConfig } from "./config.ts";
import { CommitFeed } from "./database/commit-feed.ts";
import type { MigrationNote } from "./database/migration.ts";
import { openReader } from "./database/reader.ts";
import { ReportLane } from "./database/reports.ts";
import { startWriter } from "./database/start-writer.ts";
import { measureSpace } from "./durable-file.ts";
import type { Endings } from "./endings.ts";
import { FileStore } from "./files/file-store.ts";
import { chooseHost } from "./http/choose-host.ts";
import { buildServer } from "./http/server.ts";
import { StartingParts } from "./http/starting-parts.ts";
import { readBounds } from "./load/bounds.ts";
import { LoadMeter } from "./load/load-meter.ts";
import type { Load } from "./load/load.ts";
import type { Product } from "./product.ts";
import { BucketError } from "./replica/bucket-error.ts";
import { openBucket } from "./replica/bucket.ts";
import type { Machine } from "./replica/machine.ts";
import type { Mark } from "./replica/mark.ts";
import { openReplication } from "./replica/open-replication.ts";
import type { Replication } from "./replica/replication.ts";
import { makeRestorePoint, uploadAll } from "./replica/restore-point.ts";
import { writerLimits } from "./writer-limits.ts";

const mebibyte = 1024 * 1024;
const bucketTimeoutMs = 5_000;
/** Well below the second in which writes could fill the WAL to its limit behind a report's snapshot (ADR 47). */
const reportLimits = { runMs: 10_000, mostWaiting: 4, memoryBytes: 512 * mebibyte, answerBytes: 8 * mebibyte };
/** How long a stop waits for pending answers. */
export const closeTimeoutMs = 10_000;

/** One life of the machine: a server that listens, and the parts that start behind it. */
export type Life = {
  machine: Machine;
  mark: Mark;
  parts: StartingParts<Replication>;
  server: FastifyInstance;
  background: Background;
  log: Logger;
};
type Birth = { product: Product; config: AppConfig; mark: Mark; log: Logger; endings: Endings };

/**
 * Starts writer and replication at the same time, and listens before they are up, so that `/ready` can report a store
 * that does not answer, or a migration. Resolves once it listens, and throws when it cannot. Later failures go to
 * `endings`.
 */
export async function beginLife({ product, config, mark, log, endings }: Birth): Promise<Life> {
  const { machine, tokenDigests, tokensFile, heartbeatUrl, port } = config;
  const host = await chooseHost(config.host);
  const parts = new StartingParts<Replication>(mark.epoch);
  const background = new Background({
    writer: parts.writer,
    reader: parts.reader,
    reports: parts.reports,
    replication: parts.replication,
    product,
    log,
  });
  const commits = new CommitFeed(log);
  const load = openLoadMeter(machine, { parts, commits, log });
  const hasReports = (product.reports ?? []).length > 0;
  const starting = startParts({ machine, mark, log, endings, parts, background, commits, load, hasReports });
  const server = buildServer({
    writer: parts.writer,
    reader: parts.reader,
    reports: parts.reports,
    load,
    measureDisk: () => measureSpace(machine.files.dataDirectory),
    replication: parts.replication,
    background,
    commits,
    files: new FileStore(machine.bucket),
    product,
    findStartCause: () => parts.findStartCause(),
    config: {
      tokenDigests,
      ...(tokensFile !== undefined && { tokensFile, tokensReport: machine.files.tokensReport }),
      sessionSecret: deriveSessionSecret(machine),
      defaultDurability: "disk",
      bucketTimeoutMs,
      closeTimeoutMs,
      ...(heartbeatUrl !== undefined && { heartbeat: { url: heartbeatUrl } }),
    },
    log,
  });
  // Before the first await: a start that fails must not be an unhandled rejection.
  starting.then(
    () => log.info({ host, port, epoch: mark.epoch }, "serving"),
    (error: unknown) => endings.noteFailure(error),
  );
  await server.listen({ host, port });
  log.info({ host, port }, "listening");
  return { machine, mark, parts, server, background, log };
}

type LoadParts = { parts: StartingParts<Replication>; commits: CommitFeed; log: Logger };

/** A meter of the load, with what this machine can do at most where that was measured. */
function openLoadMeter({ files }: Machine, { parts, commits, log }: LoadParts): LoadMeter {
  const bounds = readBounds(files.bounds);
  if (bounds.fault !== null) log.warn({ cause: bounds.fault }, "the bounds of this machine are not used");
  const load = new LoadMeter({
    queueLength: () => parts.writer.queueLength,
    bounds,
    onSample: (told) => writeLoadReport(files.loadReport, told),
    log,
  });
  commits.listen(load.noteCommit);
  load.start();
  return load;
}

/** For `lifeboat status`. It lies in memory, and need not survive a power loss. */
function writeLoadReport(path: string, load: Load): void {
  writeFileSync(`${path}.tmp`, JSON.stringify({ at: new Date().toISOString(), load }), { mode: 0o600 });
  renameSync(`${path}.tmp`, path);
}

/**
 * Derives the secret that seals session cookies from the bucket's key. So sessions outlive a machine, and nobody has to
 * configure a secret. Whoever has the bucket's key has all the data anyway. Token digests would not do: they are no
 * secrets.
 */
function deriveSessionSecret({ bucket, bucketId }: Machine): string {
  return Buffer.from(hkdfSync("sha256", bucket.secretAccessKey, bucketId, "lifeboat sessions", 32)).toString(
    "base64url",
  );
}

type Start = Omit<Birth, "product" | "config"> & {
  machine: Machine;
  parts: StartingParts<Replication>;
  background: Background;
  commits: CommitFeed;
  load: LoadMeter;
  hasReports: boolean;
};

async function startParts(start: Start): Promise<void> {
  const opening = openOwnReplication(start);
  await Promise.all([opening, openDatabaseParts(start, opening)]);
  start.background.start();
  if (start.hasReports) start.parts.reportsPart?.warm();
}

async function openOwnReplication({ machine, mark, log, endings, parts, background }: Start): Promise<Replication> {
  const replication = await openReplication({
    machine,
    mark,
    log,
    onFenced: (fencedBy) => {
      // At once: the life ends later, and until then a handler could still send.
      background.abort();
      endings.noteFence(fencedBy);
    },
    onStoreFault: (cause, error) => {
      parts.storeCause = describeFault(error);
      log.warn({ cause }, "the store does not answer, waiting to take writes");
    },
  });
  parts.replicationPart = replication;
  return replication;
}

async function openDatabaseParts(
  { machine, log, endings, parts, background, commits, load }: Start,
  opening: Promise<Replication>,
): Promise<void> {
  const { database, litestreamLock } = machine.files;
  const writer = await startWriter({
    databasePath: database,
    litestreamLock,
    threadUrl: new URL(`./writer-thread${extname(import.meta.filename)}`, import.meta.url),
    ...writerLimits,
    onCommit: commits.tell,
    onThread: (thread) => load.followWriter(thread),
    beforeMigration: async (pending) => securePoint(machine, await opening, pending),
    onProgress: (progress) => {
      parts.migrationProgress = progress;
    },
    log,
  });
  writer.onFailure((failure) => endings.noteFailure(failure));
  writer.onSent(() => background.wake());
  // Only after the migrations do the tables fit the queries.
  parts.readerPart = openReader(database, (failure) => endings.noteFailure(failure), load.slowReadings.note);
  const lane = new ReportLane({
    runnerUrl: new URL(`./report-runner${extname(import.meta.filename)}`, import.meta.url),
    databasePath: database,
    limits: reportLimits,
    isWalBig: () => writer.walBytes >= writerLimits.walAlarmBytes,
    log,
  });
  parts.reportsPart = load.reports.follow(lane);
  parts.writerPart = writer;
}

/**
 * Secures the state before the migrations: by a restore point, or by an upload when all of them are additive. Returns a
 * description of where it is.
 */
async function securePoint(
  { bucket }: Machine,
  replication: Replication,
  pending: readonly MigrationNote[],
): Promise<string> {
  if (pending.some(({ kind }) => kind !== "additive")) return makeRestorePoint(openBucket(bucket), replication);
  return `TXID ${await uploadAll(replication)} (not kept: all that is pending only adds)`;
}

/** For clients: the kind of fault, without the store's address. */
function describeFault(error: unknown): string {
  const kind = error instanceof BucketError ? error.kind : "head.json is damaged";
  return `the store does not tell whose the bucket is (${kind}); reads are answered, writes wait for it`;
}
