import type Database from "better-sqlite3";

import { guardAdditive } from "./guard-additive.ts";
import { type MigrationKind, MigrationRefused } from "./migration.ts";
import { findDangling, findSchemaFaults, readObjects, type SchemaObject } from "./schema.ts";
import type { Transaction } from "./transaction.ts";

/** Guards one step of the schema: `look` after each statement, `finish` at its end. Both throw MigrationRefused. */
export class SchemaGuard {
  readonly #db: Database.Database;
  readonly #before: readonly SchemaObject[];
  readonly #faults: ReadonlySet<string>;
  readonly #endAdditive: () => void;
  /** Indexes and triggers that SQLite dropped together with their table. */
  readonly #swept = new Set<string>();
  #objects: readonly SchemaObject[];
  #version: unknown;
  #dangling: number;

  constructor(db: Database.Database, kind: MigrationKind) {
    this.#db = db;
    this.#faults = new Set(findSchemaFaults(db));
    this.#endAdditive = kind === "additive" ? guardAdditive(db) : () => undefined;
    this.#before = readObjects(db);
    this.#objects = this.#before;
    this.#version = this.#readVersion();
    this.#dangling = findDangling(db).length;
  }

  look(): void {
    const version = this.#readVersion();
    if (version === this.#version) return;
    this.#version = version;
    const objects = readObjects(this.#db);
    const names = new Set(objects.map(({ name }) => name));
    const gone = this.#objects.filter(({ name }) => !names.has(name));
    this.#objects = objects;
    const tables = gone.filter(({ type }) => type === "table");
    if (tables.length === 0) return;
    for (const { type, name } of gone) if (type !== "table") this.#swept.add(name);
    this.#assertNoCascade(tables);
  }

  finish(): void {
    this.#endAdditive();
    const faults = findSchemaFaults(this.#db).filter((fault) => !this.#faults.has(fault));
    if (faults.length > 0)
      throw new MigrationRefused(
        `it would leave a broken schema: ${faults.join("; ")}; rename a table that others refer to in a plain migration, and make views and triggers anew`,
      );
    this.#assertNothingSwept();
  }

  #assertNoCascade(tables: readonly SchemaObject[]): void {
    const dangling = findDangling(this.#db);
    // With foreign keys off nothing cascades, and only the state at the end of the step counts.
    if (dangling.length <= this.#dangling || this.#db.pragma("foreign_keys", { simple: true }) === 0) return;
    const gone = new Set(tables.map(({ name }) => name.toLowerCase()));
    const children = dangling.filter(({ parent }) => gone.has(parent.toLowerCase())).map(({ child }) => child);
    throw new MigrationRefused(
      `it drops ${tables.map(({ name }) => name).join(", ")}, which ${children.join(", ")} refers to: with foreign keys on, that deletes or changes rows there; declare it kind "rebuild", or drop ${children.join(", ")} first`,
    );
  }

  #assertNothingSwept(): void {
    const names = new Set(this.#objects.map(({ name }) => name));
    const lost = this.#before.filter(
      ({ name, tableName }) => this.#swept.has(name) && !names.has(name) && names.has(tableName),
    );
    if (lost.length === 0) return;
    const titles = lost.map(({ type, name, tableName }) => `${type} ${name} of ${tableName}`).join(", ");
    throw new MigrationRefused(
      `${titles} went with the old table and was not made again; make it again, or drop it by a statement of its own before`,
    );
  }

  #readVersion(): unknown {
    return this.#db.pragma("schema_version", { simple: true });
  }
}

/** The same transaction, with a call of `look` after each statement. */
export function* watchStatements(inner: Transaction<void>, look: () => void): Transaction<void> {
  let step = inner.next();
  while (step.done !== true) {
    let rows: unknown[];
    try {
      rows = yield step.value;
    } catch (error) {
      step = inner.throw(error);
      continue;
    }
    look();
    step = inner.next(rows);
  }
}
