import { sql } from "kysely";

import { type Command, defineCommand } from "../../app/database/command.ts";
import type { Migration } from "../../app/database/migration.ts";
import { sqlBuilder } from "../../app/database/sql.ts";
import { query, type Reading, type Transaction } from "../../app/database/transaction.ts";
import { CommandRejected } from "../../app/database/write-outcome.ts";

type Note = { id: string; body: string };

export const notes = sqlBuilder<{ notes: Note; traps: Note }>();

export const noteMigrations: readonly Migration[] = [
  { number: 1, name: "notes", up: createNotes },
  { number: 2, name: "traps", up: createTraps },
];

/** Commands that succeed, and commands that fail in every way that the writer must survive. */
export const noteCommands: readonly Command[] = [
  defineCommand("add-note", addNote),
  defineCommand("add-pair", addPair),
  defineCommand("add-and-fail", addAndFail),
  defineCommand("add-and-reject", addAndReject),
  defineCommand("add-or-keep", addOrKeep),
  defineCommand("add-and-commit", addAndCommit),
  defineCommand("add-and-return-bigint", addAndReturnBigint),
  defineCommand("roll-back-everything", rollBackEverything),
  defineCommand("hold-the-thread", holdTheThread),
  defineCommand("loop-in-sqlite", loopInSqlite),
  defineCommand("end-the-thread", endTheThread),
  defineCommand("do-nothing", doNothing),
];

export function* readBodies(): Reading<Record<string, string>> {
  const rows = yield* query(notes.selectFrom("notes").selectAll().orderBy("id"));
  return Object.fromEntries(rows.map(({ id, body }) => [id, body]));
}

function* createNotes(): Transaction<void> {
  const table = notes.schema.createTable("notes").addColumn("id", "text", (column) => column.primaryKey().notNull());
  yield* query(table.addColumn("body", "text", (column) => column.notNull()));
}

// A trigger of this kind undoes the whole transaction, not only its statement.
function* createTraps(): Transaction<void> {
  const table = notes.schema.createTable("traps").addColumn("id", "text", (column) => column.primaryKey());
  yield* query(table.addColumn("body", "text"));
  const trigger = sql`create trigger spring before insert on traps begin select raise(rollback, 'the trap sprang'); end`;
  yield trigger.compile(notes);
}

function* addNote({ id, body }: Note): Transaction<{ id: string; length: number }> {
  yield* query(notes.insertInto("notes").values({ id, body }));
  return { id, length: body.length };
}

function* addPair({ id, body }: Note): Transaction<void> {
  yield* query(notes.insertInto("notes").values({ id: `left-${id}`, body }));
  yield* query(notes.insertInto("notes").values({ id: `right-${id}`, body }));
}

function* addAndFail(note: Note): Transaction<void> {
  yield* addNote(note);
  throw new TypeError("a mistake in a command");
}

function* addAndReject(note: Note): Transaction<void> {
  yield* addNote(note);
  throw new CommandRejected("not-wanted", 409, `note ${note.id} is not wanted`);
}

function* addOrKeep(note: Note): Transaction<"added" | "kept"> {
  try {
    yield* addNote(note);
    return "added";
  } catch {
    yield* query(notes.updateTable("notes").set({ body: "kept" }).where("id", "=", note.id));
    return "kept";
  }
}

function* addAndCommit(note: Note): Transaction<void> {
  yield* addNote(note);
  yield sql`commit`.compile(notes);
}

function* addAndReturnBigint(note: Note): Transaction<bigint> {
  yield* addNote(note);
  return 1n;
}

function* rollBackEverything(note: Note): Transaction<void> {
  yield* addNote(note);
  yield* query(notes.insertInto("traps").values(note));
}

function* holdTheThread({ ms }: { ms: number }): Transaction<void> {
  yield* query(notes.selectFrom("notes").select("id").limit(1));
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

/** SQLite never returns, so that the thread cannot be ended either. */
function* loopInSqlite(): Transaction<void> {
  const endless = sql`with recursive n(i) as (select 1 union all select i + 1 from n) select count(*) from n`;
  yield endless.compile(notes);
}

function* endTheThread(note: Note): Transaction<void> {
  yield* addNote(note);
  process.exit(3);
}

function* doNothing(): Transaction<void> {
  yield* query(notes.selectFrom("notes").select("id").limit(1));
}
