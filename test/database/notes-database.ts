import { join } from "node:path";

import type Database from "better-sqlite3";

import { indexCommands } from "../../app/database/command.ts";
import { commitGroup, type GroupEngine } from "../../app/database/group-commit.ts";
import { makeRunningClock } from "../../app/database/idempotency.ts";
import { applyMigrations, planMigrations } from "../../app/database/migrate.ts";
import { openDatabase } from "../../app/database/open-database.ts";
import { openReader } from "../../app/database/reader.ts";
import { startWriter, type WriterOptions } from "../../app/database/start-writer.ts";
import type { WriteAnswer } from "../../app/database/write-outcome.ts";
import type { WriteRequest } from "../../app/database/writer-messages.ts";
import type { Writer } from "../../app/database/writer.ts";
import { noteCommands, noteMigrations, readBodies } from "./notes.ts";
import { makeTemporaryDirectory } from "./temporary-directory.ts";

type GroupFixture = Disposable & {
  db: Database.Database;
  path: string;
  engine: GroupEngine;
  /** Commits one group made of these requests. */
  commit(...requests: Partial<WriteRequest>[]): WriteAnswer[];
};

/** A migrated database with the loop's engine over it, without a thread. */
export function makeGroupFixture(): GroupFixture {
  const directory = makeTemporaryDirectory();
  const path = join(directory.path, "app.db");
  const db = openDatabase(path, "writer");
  applyMigrations(db, planMigrations(db, noteMigrations).pending);
  const engine: GroupEngine = {
    db,
    commands: indexCommands(noteCommands),
    isFenced: () => false,
    nowMs: () => Date.now(),
    runningMs: makeRunningClock(db, () => performance.now()),
    groupWorkMs: Infinity,
  };
  return {
    db,
    path,
    engine,
    commit: (...requests) => commitGroup(engine, requests.map(completeRequest)),
    [Symbol.dispose]: () => {
      db.close();
      directory[Symbol.dispose]();
    },
  };
}

type WriterFixture = AsyncDisposable & {
  writer: Writer;
  path: string;
  logged: { message: string; fields: object }[];
  bodies(): Record<string, string>;
};

/** A writer in its thread, with limits that a test may lower. */
export async function startWriterFixture(options: Partial<WriterOptions> = {}): Promise<WriterFixture> {
  const directory = makeTemporaryDirectory();
  const path = join(directory.path, "app.db");
  const logged: WriterFixture["logged"] = [];
  const keep = (fields: object, message: string): void => void logged.push({ fields, message });
  const log = { info: keep, warn: keep, error: keep };
  const writer = await startWriter({ ...defaultWriterOptions(path), log, ...options });
  return {
    writer,
    path,
    logged,
    bodies: () => readNotes(path),
    [Symbol.asyncDispose]: async () => {
      await writer.close();
      directory[Symbol.dispose]();
    },
  };
}

/** What startWriter needs for a database at this path, with generous limits. */
export function defaultWriterOptions(databasePath: string): WriterOptions {
  return {
    databasePath,
    threadUrl: new URL("./notes-thread.ts", import.meta.url),
    queueLimit: 1000,
    walAlarmBytes: 64 * 1024 * 1024,
    walLimitBytes: 128 * 1024 * 1024,
    log: { info: () => undefined, warn: () => undefined, error: () => undefined },
  };
}

/** Reads all notes on a separate connection. */
export function readNotes(path: string): Record<string, string> {
  const reader = openReader(path);
  try {
    return reader.read(readBodies());
  } finally {
    reader.close();
  }
}

function completeRequest(request: Partial<WriteRequest>, index: number): WriteRequest {
  return {
    id: index + 1,
    command: "add-note",
    input: { id: `n${index + 1}`, body: "" },
    durability: "commit",
    ...request,
  };
}
