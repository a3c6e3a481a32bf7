import { createHash } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { Background } from "../../app/background/background.ts";
import { CommitFeed } from "../../app/database/commit-feed.ts";
import { openReader } from "../../app/database/reader.ts";
import type { ReportLimits } from "../../app/database/report.ts";
import { ReportLane } from "../../app/database/reports.ts";
import { startWriter } from "../../app/database/start-writer.ts";
import type { Writer } from "../../app/database/writer.ts";
import { measureSpace } from "../../app/durable-file.ts";
import { neverAsked, type RouteContext, type Server } from "../../app/http/product-routes.ts";
import type { ServerConfig } from "../../app/http/server-config.ts";
import { buildServer } from "../../app/http/server.ts";
import { LoadMeter, type LoadOptions } from "../../app/load/load-meter.ts";
import { openLog } from "../../app/log.ts";
import type { Product } from "../../app/product.ts";
import { pagesProduct } from "../product/pages.ts";
import { ControlledReplication } from "./controlled-replication.ts";

export const token = "a-token-for-tests";
const walAlarmBytes = 64 * 1024 * 1024;
export const tokenDigest = createHash("sha256").update(token).digest("hex");

type Answer = { status: number; headers: Record<string, unknown>; text: string; body: Record<string, unknown> };
type Call = { body?: unknown; headers?: Record<string, string> };
type Limits = {
  queueLimit?: number;
  walLimitBytes?: number;
  reports?: Partial<ReportLimits>;
  load?: Partial<LoadOptions>;
};
type Programs = { threadUrl?: URL; runnerUrl?: URL };

const reportLimits: ReportLimits = { runMs: 60_000, mostWaiting: 2, memoryBytes: 2 ** 29, answerBytes: 2 ** 20 };

/** The real server over the real writer thread and a real database; only the replica is the test's own. */
export type TestServer = AsyncDisposable & {
  server: Server;
  /** The path of the database. */
  database: string;
  writer: Writer;
  replication: ControlledReplication;
  /** Takes no sample by itself. */
  load: LoadMeter;
  /** Not started. */
  background: Background;
  log: string[];
  call: (method: "GET" | "POST" | "PUT", path: string, call?: Call) => Promise<Answer>;
};

/** The server of the pages, unless another product is given with the programs that run its commands and reports. */
export async function startTestServer(
  config: Partial<ServerConfig> = {},
  options: Limits & Programs & { product?: Product; files?: RouteContext["files"] } = {},
): Promise<TestServer> {
  const { product = pagesProduct } = options;
  const directory = await mkdtemp(join(tmpdir(), "lifeboat-http-"));
  const databasePath = join(directory, "app.db");
  const log: string[] = [];
  const logger = openLog("trace", { write: (line) => log.push(line) });
  const { writer, commits, load } = await openWriting({ databasePath, log: logger }, options);
  const reader = openReader(databasePath, undefined, load.slowReadings.note);
  const reports = load.reports.follow(openReports({ databasePath, writer, log: logger }, options));
  const replication = new ControlledReplication();
  const background = new Background({ product, reader, reports, writer, replication, log: logger });
  writer.onSent(() => background.wake());
  const server = buildServer({
    writer,
    reader,
    reports,
    load,
    measureDisk: () => measureSpace(directory),
    replication,
    background,
    commits,
    files: options.files ?? neverAsked.files,
    product,
    config: { tokenDigests: [tokenDigest], defaultDurability: "disk", bucketTimeoutMs: 5000, ...config },
    log: logger,
  });
  const call = makeCall(server);
  const dispose = async () => {
    await server.close();
    await background.stop();
    await writer.close();
    reader.close();
    await rm(directory, { recursive: true });
  };
  const parts = { server, database: databasePath, writer, replication, load, background, log, call };
  return { ...parts, [Symbol.asyncDispose]: dispose };
}

type Place = { databasePath: string; log: ReturnType<typeof openLog> };

async function openWriting({ databasePath, log }: Place, options: Limits & Programs) {
  const commits = new CommitFeed(log);
  const load = new LoadMeter({
    queueLength: () => writer.queueLength,
    bounds: { bounds: null, fault: null },
    log,
    ...options.load,
  });
  commits.listen(load.noteCommit);
  const writer = await startWriter({
    databasePath,
    threadUrl: options.threadUrl ?? new URL("../product/writer-thread.ts", import.meta.url),
    queueLimit: options.queueLimit ?? 1000,
    walAlarmBytes,
    walLimitBytes: options.walLimitBytes ?? 128 * 1024 * 1024,
    onCommit: commits.tell,
    onThread: (thread) => load.followWriter(thread),
    log,
  });
  load.sample();
  return { writer, commits, load };
}

function openReports(
  { databasePath, writer, log }: Place & { writer: Writer },
  options: Limits & Programs,
): ReportLane {
  return new ReportLane({
    runnerUrl: options.runnerUrl ?? new URL("../../app/report-runner.ts", import.meta.url),
    databasePath,
    limits: { ...reportLimits, ...options.reports },
    isWalBig: () => writer.walBytes >= walAlarmBytes,
    log,
  });
}

function makeCall(server: Server): TestServer["call"] {
  return async (method, path, { body, headers } = {}) => {
    const answer = await server.inject({
      method,
      url: path,
      headers: {
        authorization: `Bearer ${token}`,
        ...(body !== undefined && { "content-type": "application/json" }),
        ...headers,
      },
      ...(body !== undefined && { payload: typeof body === "string" ? body : JSON.stringify(body) }),
    });
    return { status: answer.statusCode, headers: answer.headers, text: answer.body, body: parse(answer.body) };
  };
}

function parse(text: string): Record<string, unknown> {
  const value: unknown = text === "" ? {} : JSON.parse(text);
  if (typeof value !== "object" || value === null) throw new Error(`an answer that is no JSON object: ${text}`);
  return { ...value };
}
