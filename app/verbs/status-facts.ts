import { basename, dirname } from "node:path";
import { connect } from "node:tls";

import { type Static, Type } from "typebox";

import type { AppConfig } from "../config.ts";
import { measureSpace, readOptionalFile, sizeOf } from "../durable-file.ts";
import { type Load, LoadReport } from "../load/load.ts";
import { type Bucket, openBucket } from "../replica/bucket.ts";
import { fetchHead, type Head } from "../replica/head.ts";
import type { Machine, MachineFiles } from "../replica/machine.ts";
import { parseJson } from "../replica/parse-json.ts";

const ReadySchema = Type.Object({
  status: Type.String(),
  cause: Type.Optional(Type.String()),
  state: Type.String(),
  epoch: Type.String(),
  fence: Type.Union([Type.String(), Type.Null()]),
  replicaFault: Type.Union([Type.String(), Type.Null()]),
  replicatedAgeMs: Type.Union([Type.Number(), Type.Null()]),
  walBytes: Type.Number(),
  queueLength: Type.Number(),
  oldestWriteMs: Type.Union([Type.Number(), Type.Null()]),
});
const BootSchema = Type.Object({
  outcome: Type.String(),
  startedAt: Type.String(),
  content: Type.Union([Type.String(), Type.Null()]),
  cause: Type.Union([Type.String(), Type.Null()]),
  next: Type.Union([Type.String(), Type.Null()]),
});
const VerifiedSchema = Type.Object({
  outcome: Type.String(),
  startedAt: Type.String(),
  cause: Type.Optional(Type.Union([Type.String(), Type.Null()])),
});

/** What `GET /ready` says. */
export type Ready = Static<typeof ReadySchema>;
export type Verified = Static<typeof VerifiedSchema>;

/** What is known of a machine and its bucket. What could not be found out is null, with its cause beside it where there is one. */
export type StatusFacts = {
  at: string;
  machine: string;
  release: string | null;
  ready: Ready | null;
  /** Why the app did not answer. */
  silence: string | null;
  boot: Static<typeof BootSchema> | null;
  /** What the app carried in the last quarter of an hour. Null when it has not told within the last minute. */
  load: Pick<Load, "window" | "triggers"> | null;
  databaseBytes: number;
  walBytes: number;
  disk: { freeBytes: number; totalBytes: number } | null;
  bucket: { name: string; head: Head | null; verified: Verified | null; fault: string | null };
  certificate: Certificate | null;
  /** Units of systemd that have failed. Null where systemd runs nothing of this. */
  failedUnits: readonly string[] | null;
  /**
   * When a restore was last compared with the live database, as the app does by itself. Null where nobody knows, and its
   * time when it was within three days.
   */
  rehearsal: { at: string | null } | null;
  /** Warnings and errors of the app in the last hour by their message, the most frequent first. Null without a journal. */
  complaints: readonly Complaint[] | null;
};

export type Complaint = { message: string; count: number; lastAt: string };
export type Certificate = { name: string; from: string; until: string } | { name: string; fault: string };

/** How long the app, the store and the edge may each take to answer. */
const answerLimitMs = 5_000;
/** The app tells its load every five seconds. */
const loadLimitMs = 60_000;

export type RootFacts = Pick<StatusFacts, "failedUnits" | "complaints" | "rehearsal">;

type Place = { host: string; name: string | null; port: number };

/** Asks the app, the disk, the bucket and the edge. Throws nothing that one of them has refused: it is told. */
export async function gatherFacts(config: AppConfig, https: Place | null): Promise<Omit<StatusFacts, keyof RootFacts>> {
  const { machine } = config;
  const { files } = machine;
  const [told, bucket, certificate] = await Promise.all([
    askReady(config),
    askBucket(openBucket(machine.bucket, { callMs: answerLimitMs, listMs: answerLimitMs })),
    https === null ? null : fetchCertificate(https),
  ]);
  return {
    at: new Date().toISOString(),
    machine: machine.machineId,
    release: findRelease(),
    ...told,
    boot: readBootReport(files),
    load: readLoad(files),
    databaseBytes: sizeOf(files.database),
    walBytes: sizeOf(`${files.database}-wal`),
    disk: measureDisk(machine),
    bucket,
    certificate,
  };
}

/** In a release this file lies in /opt/lifeboat/releases/<SHA-256>/app. */
function findRelease(): string | null {
  const name = basename(dirname(import.meta.dirname));
  return /^[0-9a-f]{64}$/.test(name) ? name : null;
}

async function askReady({ host, port }: AppConfig): Promise<Pick<StatusFacts, "ready" | "silence">> {
  const url = `http://${host}:${port}/ready`;
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(answerLimitMs) });
    return { ready: parseJson(ReadySchema, await answer.text(), url), silence: null };
  } catch (error) {
    return { ready: null, silence: describe(error) };
  }
}

async function askBucket(bucket: Bucket): Promise<StatusFacts["bucket"]> {
  const name = bucket.name;
  try {
    const [{ head }, verified] = await Promise.all([fetchHead(bucket), fetchVerified(bucket)]);
    return { name, head, verified, fault: null };
  } catch (error) {
    return { name, head: null, verified: null, fault: describe(error) };
  }
}

/** The newest report of a verification; its time is in its name. */
async function fetchVerified(bucket: Bucket): Promise<Verified | null> {
  const keys = await Array.fromAsync(bucket.list("reports/verify-"));
  const newest = keys.toSorted().at(-1);
  return newest === undefined ? null : parseJson(VerifiedSchema, (await bucket.get(newest)).text, newest);
}

function readBootReport({ bootReport }: MachineFiles): StatusFacts["boot"] {
  const text = readOptionalFile(bootReport);
  return text === null ? null : parseJson(BootSchema, text, bootReport);
}

function readLoad({ loadReport }: MachineFiles): StatusFacts["load"] {
  const text = readOptionalFile(loadReport);
  if (text === null) return null;
  const { at, load } = parseJson(LoadReport, text, loadReport);
  return Date.now() - Date.parse(at) > loadLimitMs ? null : { window: load.window, triggers: load.triggers };
}

function measureDisk({ files }: Machine): StatusFacts["disk"] {
  try {
    const { freeBytes, totalBytes } = measureSpace(files.dataDirectory);
    return { freeBytes, totalBytes };
  } catch {
    return null;
  }
}

/** The certificate that visitors get. Whether it is trusted is theirs to judge: a trial's authority is not. */
async function fetchCertificate({ host, name, port }: Place): Promise<Certificate> {
  const shown = name ?? host;
  const { promise, resolve } = Promise.withResolvers<Certificate>();
  const socket = connect({ host, port, ...(name !== null && { servername: name }), rejectUnauthorized: false }, () => {
    const { valid_from: from, valid_to: until } = socket.getPeerCertificate();
    resolve({ name: shown, from: new Date(from).toISOString(), until: new Date(until).toISOString() });
  });
  socket.setTimeout(answerLimitMs, () => socket.destroy(new Error("nobody answered")));
  socket.once("error", (error) => resolve({ name: shown, fault: describe(error) }));
  try {
    return await promise;
  } finally {
    socket.destroy();
  }
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error && error.cause.message !== "" ? error.cause.message : error.message;
}
