import type { Transaction } from "./transaction.ts";

/**
 * What a step does to the release before it. `additive` only adds, so that one still serves afterwards; `rebuild` runs
 * with foreign keys off and is checked at its end (sqlite.org/lang_altertable.html, section 7); `plain` is all else.
 */
export type MigrationKind = "additive" | "plain" | "rebuild";

/** One step of the schema. Numbers start at 1 without a gap; name and number never change once it has run. */
export type Migration = {
  number: number;
  name: string;
  /** Plain when it is left out. */
  kind?: MigrationKind;
  up(): Transaction<void>;
};

/** A step without its code: what travels between threads and is shown to people. */
export type MigrationNote = { number: number; name: string; kind: MigrationKind };

/** Another start would end the same way: the migrations, or the database, have to be changed by a person. */
export class MigrationRefused extends Error {
  override readonly name = "MigrationRefused";
}

/** Says of a step what may be told. */
export function describeMigration({ number, name, kind = "plain" }: Migration): MigrationNote {
  return { number, name, kind };
}

/** Throws MigrationRefused when the steps are not numbered 1, 2, 3 … in their order. */
export function assertNumbered(migrations: readonly Migration[]): void {
  for (const [index, { name, number }] of migrations.entries()) {
    if (number === index + 1) continue;
    throw new MigrationRefused(
      `migration "${name}" has number ${number}, expected ${index + 1}: number them without a gap`,
    );
  }
}
