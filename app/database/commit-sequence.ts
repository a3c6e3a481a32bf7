import { randomBytes } from "node:crypto";

import type Database from "better-sqlite3";

import { prepareStatement } from "./transaction.ts";

/** How far a database has come. Comparable only within one epoch: equal numbers with different tokens have diverged. */
export type CommitSequence = { sequence: number; token: string };

/** Reads the commit sequence. Throws when the database has none because our writer never opened it. */
export function readCommitSequence(db: Database.Database): CommitSequence {
  const [row] = prepareStatement<CommitSequence>(db, readText).all();
  if (row === undefined) throw new Error(`${db.name} holds no commit sequence: table _lifeboat is empty`);
  return row;
}

/**
 * As readCommitSequence, but a database that our writer never opened counts as 0: a machine can die, and a replica end,
 * before the first migration.
 */
export function findCommitSequence(db: Database.Database): CommitSequence {
  const [table] = prepareStatement(db, "select 1 from sqlite_master where name = '_lifeboat'").all();
  return table === undefined ? { sequence: 0, token: "" } : readCommitSequence(db);
}

/** Raises the commit sequence inside the open transaction. Every transaction that writes calls it exactly once. */
export function raiseCommitSequence(db: Database.Database): number {
  if (!db.inTransaction) throw new Error("the commit sequence is raised only inside the transaction that it counts");
  const [row] = prepareStatement<{ sequence: number }>(db, raiseText).all(randomBytes(8).toString("hex"));
  if (row === undefined) throw new Error(`${db.name} holds no commit sequence: table _lifeboat is empty`);
  return row.sequence;
}

/** Makes the table with sequence 0 if it is missing. Runs inside the transaction of the first migration. */
export function createCommitSequence(db: Database.Database): void {
  db.exec(`create table if not exists _lifeboat (
    id integer primary key check (id = 1), sequence integer not null, token text not null
  ) strict`);
  prepareStatement(db, "insert into _lifeboat (id, sequence, token) values (1, 0, '') on conflict do nothing").run();
}

const readText = "select sequence, token from _lifeboat where id = 1";
const raiseText = "update _lifeboat set sequence = sequence + 1, token = ? where id = 1 returning sequence";
