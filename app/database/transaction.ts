import type Database from "better-sqlite3";
import type { Compilable, CompiledQuery } from "kysely";

/** A unit of work that yields compiled statements and receives their rows, so that it does not depend on an engine. */
export type Transaction<Result> = Generator<CompiledQuery, Result, unknown[]>;

/** A transaction that only selects. It can be used wherever a Transaction is expected, but not the other way round. */
export type Reading<Result> = Generator<ReadStatement, Result, unknown[]>;

type ReadStatement = CompiledQuery & { readonly [onlySelects]: true };
type Selectable<Row> = Compilable<Row> & { toOperationNode(): { readonly kind: "SelectQueryNode" } };
type Statement<Row = unknown> = Database.Statement<unknown[], Row>;
declare const onlySelects: unique symbol;

/**
 * Runs one statement inside a transaction: `const rows = yield* query(sql.selectFrom("customers").selectAll())`. A
 * select keeps the transaction a Reading; anything else makes it a writing Transaction. Other statements return rows
 * only with `returning`.
 */
export function query<Row>(statement: Selectable<Row>): Reading<Row[]>;
export function query<Row>(statement: Compilable<Row>): Transaction<Row[]>;
export function* query<Row>(statement: Compilable<Row>): Transaction<Row[]> {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the builder derived the rows' type
  return (yield statement.compile()) as Row[];
}

/**
 * Runs a transaction to its end on one connection, synchronously. Begins and commits it, unless the connection is in a
 * transaction already. An error of a statement is also thrown into the generator, so that a command can turn a
 * constraint violation into its own refusal; but not after SQLite rolled everything back itself.
 */
export function runTransaction<Result>(db: Database.Database, transaction: Transaction<Result>): Result {
  if (db.inTransaction) return driveTransaction(db, transaction);
  prepareStatement(db, db.readonly ? "begin" : "begin immediate").run();
  try {
    const result = driveTransaction(db, transaction);
    prepareStatement(db, "commit").run();
    return result;
  } finally {
    if (db.inTransaction) prepareStatement(db, "rollback").run();
  }
}

/** Prepares a statement once for each connection and keeps it. `Row` is the type of its rows. */
export function prepareStatement<Row>(db: Database.Database, text: string): Statement<Row> {
  const known = statementsOf.get(db)?.get(text) ?? keepStatement(db, text);
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the caller names the row's type beside its SQL
  return known as Statement<Row>;
}

/** Calls `note` with each statement of this connection's transactions, and how long it took. */
export function watchStatements(db: Database.Database, note: (text: string, tookMs: number) => void): void {
  watchersOf.set(db, note);
}

const watchersOf = new WeakMap<Database.Database, (text: string, tookMs: number) => void>();

// Lists of values make a new SQL text for each length, so the cache needs a limit.
const statementLimit = 500;
const statementsOf = new WeakMap<Database.Database, Map<string, Statement>>();
const transactionControl = /^\s*(?:begin|commit|end|rollback|savepoint|release|pragma|attach|detach|vacuum)\b/i;

function keepStatement(db: Database.Database, text: string): Statement {
  const statements = statementsOf.get(db) ?? new Map<string, Statement>();
  statementsOf.set(db, statements);
  const [oldest] = statements.keys();
  if (statements.size >= statementLimit && oldest !== undefined) statements.delete(oldest);
  const statement: Statement = db.prepare(text);
  statements.set(text, statement);
  return statement;
}

function driveTransaction<Result>(db: Database.Database, transaction: Transaction<Result>): Result {
  let step = transaction.next();
  while (step.done !== true) step = advanceTransaction(db, transaction, step.value);
  return step.value;
}

function advanceTransaction<Result>(
  db: Database.Database,
  transaction: Transaction<Result>,
  compiled: CompiledQuery,
): IteratorResult<CompiledQuery, Result> {
  let rows: unknown[];
  try {
    rows = runStatement(db, compiled);
  } catch (error) {
    if (!db.inTransaction) throw error;
    return transaction.throw(error);
  }
  return transaction.next(rows);
}

function runStatement(db: Database.Database, compiled: CompiledQuery): unknown[] {
  if (transactionControl.test(compiled.sql)) {
    throw new Error(`a transaction must not yield "${compiled.sql}": its runner begins, commits and sets pragmas`);
  }
  const statement = prepareStatement(db, compiled.sql);
  const note = watchersOf.get(db);
  if (note === undefined) return execute(statement, compiled.parameters);
  const startedMs = performance.now();
  const rows = execute(statement, compiled.parameters);
  note(compiled.sql, performance.now() - startedMs);
  return rows;
}

function execute(statement: Statement, parameters: readonly unknown[]): unknown[] {
  if (statement.reader) return statement.all(...parameters);
  statement.run(...parameters);
  return [];
}
