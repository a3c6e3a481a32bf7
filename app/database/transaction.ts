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
 * Runs the only statement of a reading. It needs no BEGIN and COMMIT, because one statement always sees one snapshot. A
 * reading that asks for more afterwards fails, unless a transaction is open.
 */
export function queryAlone<Row>(statement: Selectable<Row>): Reading<Row[]>;
export function* queryAlone<Row>(statement: Compilable<Row>): Transaction<Row[]> {
  const alone: Alone = { ...statement.compile(), isAlone: true };
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the builder derived the rows' type
  return (yield alone) as Row[];
}

type Alone = CompiledQuery & { readonly isAlone: true };

/**
 * Runs a transaction to its end on one connection, synchronously. Begins and commits it, unless the connection is in a
 * transaction already. An error of a statement is also thrown into the generator, so that a command can turn a
 * constraint violation into its own refusal; but not after SQLite rolled everything back itself.
 */
export function runTransaction<Result>(db: Database.Database, transaction: Transaction<Result>): Result {
  const first = transaction.next();
  if (first.done === true) return first.value;
  if (db.inTransaction) return driveTransaction(db, transaction, first);
  if ("isAlone" in first.value) return runAlone(db, transaction, first.value);
  prepareStatement(db, db.readonly ? "begin" : "begin immediate").run();
  try {
    const result = driveTransaction(db, transaction, first);
    prepareStatement(db, "commit").run();
    return result;
  } catch (error) {
    if (db.inTransaction) prepareStatement(db, "rollback").run();
    throw error;
  }
}

/** Prepares one of the kit's own statements once for each connection and keeps it. `Row` is the type of its rows. */
export function prepareStatement<Row>(db: Database.Database, text: string): Statement<Row> {
  const { own } = statementsOf(db);
  let statement = own.get(text);
  if (statement === undefined) own.set(text, (statement = db.prepare(text)));
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the caller names the row's type beside its SQL
  return statement as Statement<Row>;
}

/** Calls `note` with each statement of this connection's transactions, and how long it took. */
export function watchStatements(db: Database.Database, note: StatementNote): void {
  statementsOf(db).note = note;
}

type StatementNote = (text: string, tookMs: number) => void;

type Statements = {
  /** The kit's own, a fixed number, so that no text of a product displaces BEGIN and COMMIT. */
  own: Map<string, Statement>;
  /** Those that a product yielded lately, and those before them. Together at most the limit, the least used go first. */
  recent: Map<string, Statement>;
  earlier: Map<string, Statement>;
  note: StatementNote | null;
};

// Lists of values make a new SQL text for each length, so the cache needs a limit.
const statementLimit = 500;
const statements = new WeakMap<Database.Database, Statements>();
const transactionControl = /^\s*(?:begin|commit|end|rollback|savepoint|release|pragma|attach|detach|vacuum)\b/i;

function statementsOf(db: Database.Database): Statements {
  let known = statements.get(db);
  if (known === undefined)
    statements.set(db, (known = { own: new Map(), recent: new Map(), earlier: new Map(), note: null }));
  return known;
}

function prepareYielded(db: Database.Database, kept: Statements, text: string): Statement {
  const known = kept.recent.get(text);
  if (known !== undefined) return known;
  const statement = kept.earlier.get(text) ?? prepareNew(db, text);
  if (kept.recent.size >= statementLimit / 2) {
    kept.earlier = kept.recent;
    kept.recent = new Map();
  }
  kept.recent.set(text, statement);
  return statement;
}

function prepareNew(db: Database.Database, text: string): Statement {
  if (transactionControl.test(text))
    throw new Error(`a transaction must not yield "${text}": its runner begins, commits and sets pragmas`);
  return db.prepare(text);
}

function driveTransaction<Result>(
  db: Database.Database,
  transaction: Transaction<Result>,
  first: IteratorYieldResult<CompiledQuery>,
): Result {
  let step: IteratorResult<CompiledQuery, Result> = first;
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

function runAlone<Result>(db: Database.Database, transaction: Transaction<Result>, alone: CompiledQuery): Result {
  let rows: unknown[];
  try {
    rows = runStatement(db, alone);
  } catch (error) {
    return endAlone(transaction.throw(error), alone);
  }
  return endAlone(transaction.next(rows), alone);
}

function endAlone<Result>(step: IteratorResult<CompiledQuery, Result>, { sql }: CompiledQuery): Result {
  if (step.done === true) return step.value;
  throw new Error(`a reading called queryAlone for "${sql}" and then asked for more; call query for each of them`);
}

function runStatement(db: Database.Database, { sql, parameters }: CompiledQuery): unknown[] {
  const kept = statementsOf(db);
  const statement = prepareYielded(db, kept, sql);
  const { note } = kept;
  if (note === null) return execute(statement, parameters);
  const startedMs = performance.now();
  const rows = execute(statement, parameters);
  note(sql, performance.now() - startedMs);
  return rows;
}

function execute(statement: Statement, parameters: readonly unknown[]): unknown[] {
  if (statement.reader) return statement.all(...parameters);
  statement.run(...parameters);
  return [];
}
