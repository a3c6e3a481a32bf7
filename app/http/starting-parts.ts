import type { MigrationProgress } from "../database/migrate-thread.ts";
import type { Reader } from "../database/reader.ts";
import type { Reports } from "../database/reports.ts";
import type { Writer } from "../database/writer.ts";
import type { WriteExecutor, Replica } from "./answer-write.ts";
import type { WriterHealth } from "./health-routes.ts";
import { notBegun, Problem } from "./problem.ts";
import type { RouteContext } from "./product-routes.ts";

/**
 * The parts of a machine that start while its server already listens. A request that needs a missing part is answered
 * 503 `starting`. Reads need only the reader. Writes need all parts, because head must have been read.
 */
export class StartingParts<R extends Replica> {
  writerPart: Writer | null = null;
  readerPart: Reader | null = null;
  replicationPart: R | null = null;
  reportsPart: Reports | null = null;
  /** Why head could not be read from the store yet. Set by whoever reads it. */
  storeCause: string | null = null;
  /** Progress of the migrations. Null when none runs. */
  migrationProgress: MigrationProgress | null = null;
  readonly writer: WriteExecutor & WriterHealth;
  readonly reader: RouteContext["reader"];
  readonly replication: Replica;
  readonly reports: Pick<Reports, "run" | "close">;

  constructor(epoch: string) {
    this.writer = this.#describeWriter();
    this.reader = { read: (reading) => this.#require(this.readerPart).read(reading) };
    this.replication = this.#describeReplication(epoch);
    this.reports = {
      run: async (report, input, signal) => this.#require(this.reportsPart).run(report, input, signal),
      close: () => this.reportsPart?.close(),
    };
  }

  /** Why this machine does not serve completely yet. Null when it does. */
  findStartCause(): string | null {
    if (this.replicationPart === null) return this.storeCause ?? "the store is being asked whose the bucket is";
    if (this.writerPart !== null) return null;
    return this.migrationProgress === null ? "the writer is starting" : describeProgress(this.migrationProgress);
  }

  #describeWriter(): WriteExecutor & WriterHealth {
    const health = () => this.writerPart ?? noWriter;
    return {
      execute: async (command, input, options) => {
        if (this.replicationPart === null) throw this.#refuse();
        return this.#require(this.writerPart).execute(command, input, options);
      },
      get state() {
        return health().state;
      },
      get queueLength() {
        return health().queueLength;
      },
      get walBytes() {
        return health().walBytes;
      },
      get oldestWriteMs() {
        return health().oldestWriteMs;
      },
      get cause() {
        return health().cause;
      },
    };
  }

  #describeReplication(epoch: string): Replica {
    const known = () =>
      this.replicationPart ?? { ...noReplication, epoch, replicate: () => Promise.reject(this.#refuse()) };
    return {
      epoch,
      get state() {
        return known().state;
      },
      get replicatedAgeMs() {
        return known().replicatedAgeMs;
      },
      get uploadProgress() {
        return known().uploadProgress;
      },
      get fence() {
        return known().fence;
      },
      get replicaFault() {
        return known().replicaFault;
      },
      get bucketRefusal() {
        return known().bucketRefusal;
      },
      replicate: (timeoutMs) => known().replicate(timeoutMs),
    };
  }

  #require<Part>(part: Part | null): Part {
    if (part === null) throw this.#refuse();
    return part;
  }

  #refuse(): Problem {
    const detail = `Nothing was done: this machine is starting (${this.findStartCause() ?? "almost there"}). Repeat the request.`;
    return new Problem(503, "starting", detail, notBegun("starting", 2));
  }
}

function describeProgress({ stage, migration, elapsedMs }: MigrationProgress): string {
  const step = migration === null ? "" : ` ${migration}`;
  return `the database is being migrated: ${stage}${step}, for ${Math.round(elapsedMs / 1000)} s`;
}

const noWriter: WriterHealth = { state: "refusing", queueLength: 0, walBytes: 0, oldestWriteMs: null, cause: null };
const noReplication = {
  state: "starting",
  replicatedAgeMs: null,
  uploadProgress: null,
  fence: null,
  replicaFault: null,
  bucketRefusal: null,
} as const;
