import type { Transaction } from "./transaction.ts";

/** One step of the schema. Numbers start at 1 without a gap; name and number never change once it has run. */
export type Migration = { number: number; name: string; up(): Transaction<void> };
