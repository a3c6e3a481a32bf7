import type { Transaction } from "./transaction.ts";

/**
 * What a migration means for the previous release. `additive` only adds, so the previous release can still serve.
 * `rebuild` runs with foreign keys off and is checked at its end (sqlite.org/lang_altertable.html, section 7). `plain`
 * is everything else.
 */
export type MigrationKind = "additive" | "plain" | "rebuild";

/** One migration. Numbers start at 1 without a gap. Name and number never change once it has run. */
export type Migration = {
  number: number;
  name: string;
  /** `plain` if omitted. */
  kind?: MigrationKind;
  up(): Transaction<void>;
};

/** A migration without its code, for messages between threads and for people. */
export type MigrationNote = { number: number; name: string; kind: MigrationKind };

/** Another start would end the same way: a person has to change the migrations or the database. */
export class MigrationRefused extends Error {
  override readonly name = "MigrationRefused";
}

/** Makes the note of a migration. */
export function describeMigration({ number, name, kind = "plain" }: Migration): MigrationNote {
  return { number, name, kind };
}

/** Throws MigrationRefused when the migrations are not numbered 1, 2, 3 … in order. */
export function assertNumbered(migrations: readonly Migration[]): void {
  for (const [index, { name, number }] of migrations.entries()) {
    if (number === index + 1) continue;
    throw new MigrationRefused(
      `migration "${name}" has number ${number}, expected ${index + 1}: number them without a gap`,
    );
  }
}
