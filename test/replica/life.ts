import { cpSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";

import type Database from "better-sqlite3";

import { within } from "../../app/cli/wait-for.ts";
import { createCommitSequence, findCommitSequence, raiseCommitSequence } from "../../app/database/commit-sequence.ts";
import { openDatabase } from "../../app/database/open-database.ts";
import { beginRun } from "../../app/replica/begin-run.ts";
import { litestreamEnvironment } from "../../app/replica/litestream-config.ts";
import { watchLimits, type WatchLimits } from "../../app/replica/litestream-watch.ts";
import type { Machine } from "../../app/replica/machine.ts";
import { readMark, writeMark } from "../../app/replica/mark.ts";
import { openReplication } from "../../app/replica/open-replication.ts";
import type { Inspection } from "../../app/replica/replica-watch.ts";
import type { Replication } from "../../app/replica/replication.ts";
import type { Leftovers } from "../../scripts/local/leftovers.ts";
import { startProcessGroup, type ProcessGroup } from "../../scripts/local/process-group.ts";
import { recordLog, type Logged } from "../recorded-log.ts";
import { SupervisedLitestream } from "./supervised-litestream.ts";

type Parts = {
  machine: Machine;
  litestream: SupervisedLitestream;
  database: Database.Database;
  replication: Replication;
  logged: Logged[];
};

const waitMs = 20_000;

/** What runs between a boot and a death: real Litestream under flock, the writing connection, the real replication. */
export class Life implements AsyncDisposable {
  readonly #parts: Parts;
  /** The cause, once head was lost. */
  readonly fenced: Promise<string>;
  #over = false;

  private constructor(parts: Parts, fenced: Promise<string>) {
    this.#parts = parts;
    this.fenced = fenced;
  }

  static async start(
    machine: Machine,
    leftovers: Leftovers,
    inspections: readonly Inspection[] = [],
    limits: WatchLimits = watchLimits,
  ): Promise<Life> {
    const mark = beginRun(machine);
    const litestream = new SupervisedLitestream(() => startLitestream(machine, leftovers));
    const { log, logged } = recordLog();
    const database = openDatabase(machine.files.database, "writer");
    inTransaction(database, () => {
      createCommitSequence(database);
      database.exec("create table if not exists notes (id integer primary key, text text not null) strict");
    });
    const { promise: fenced, resolve } = Promise.withResolvers<string>();
    const replication = await openReplication({
      machine,
      mark,
      log,
      onFenced: resolve,
      inspections: () => [...inspections],
      limits,
    });
    return new Life({ machine, litestream, database, replication, logged }, fenced);
  }

  /** What replication logged. */
  get logged(): readonly Logged[] {
    return this.#parts.logged;
  }

  get databasePath(): string {
    return this.#parts.machine.files.database;
  }

  get replication(): Replication {
    return this.#parts.replication;
  }

  /** Commits each text in a separate transaction. */
  write(...texts: string[]): void {
    for (const text of texts) writeNote(this.#parts.database, text);
  }

  /** Waits for the acknowledgement of a `bucket` write. */
  replicate(timeoutMs = waitMs): Promise<void> {
    return this.#parts.replication.replicate(timeoutMs);
  }

  /** Makes up texts, commits each and waits for its acknowledgement at `bucket` before the next. Returns them. */
  async writeReplicated(count: number, timeoutMs = waitMs): Promise<string[]> {
    const texts = Array.from(
      { length: count },
      (_, index) => `${this.replication.epoch} ${performance.now()} ${index}`,
    );
    for (const text of texts) {
      this.write(text);
      await this.replicate(timeoutMs);
    }
    return texts;
  }

  /** kill -9 of everything. The disk stays as it was at that moment: the close of our own handle would write to it. */
  async crash(): Promise<void> {
    this.#over = true;
    const { machine, litestream, database, replication } = this.#parts;
    await within("the end of Litestream", waitMs, litestream.end("SIGKILL"));
    await replication.abandon("the test killed this life");
    const { dataDirectory } = machine.files;
    const asTheyWere = `${dataDirectory}-killed`;
    cpSync(dataDirectory, asTheyWere, { recursive: true });
    database.close();
    rmSync(dataDirectory, { recursive: true });
    renameSync(asTheyWere, dataDirectory);
  }

  /** As the app does it: a checked sync, the mark, and Litestream last. */
  async stopCleanly(): Promise<void> {
    this.#over = true;
    const { machine, litestream, database, replication } = this.#parts;
    const txid = await replication.stop(waitMs);
    const position = findCommitSequence(database);
    database.close();
    const mark = readMark(machine.files.mark);
    if (mark === null) throw new Error("the mark vanished");
    writeMark(machine.files.mark, { ...mark, bootId: machine.bootId, cleanStop: { txid, position } });
    await within("the end of Litestream", waitMs, litestream.end("SIGTERM"));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#over) await this.crash();
  }
}

/** One commit of a database whose tables are there. */
export function writeNote(database: Database.Database, text: string): void {
  inTransaction(database, () => database.prepare("insert into notes (text) values (?)").run(text));
}

/** Starts Litestream as a machine's supervisor does. */
function startLitestream({ files, ...machine }: Machine, leftovers: Leftovers): ProcessGroup {
  const entries = Object.entries(litestreamEnvironment(machine));
  const environment = Object.fromEntries(
    entries.flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );
  const words = [
    "--nonblock",
    "--no-fork",
    files.litestreamLock,
    machine.litestreamPath,
    "replicate",
    "-config",
    files.litestreamConfig,
  ];
  return startProcessGroup(
    { file: "flock", words },
    {
      environment,
      directory: files.runDirectory,
      logFile: join(files.runDirectory, "litestream.log"),
      leftovers,
    },
  );
}

function inTransaction(database: Database.Database, write: () => void): void {
  database.exec("begin immediate");
  write();
  raiseCommitSequence(database);
  database.exec("commit");
}
