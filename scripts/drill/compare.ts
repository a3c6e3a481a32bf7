import { type FoundFact, nameOf } from "./facts.ts";
import type { Entry, Ledger, PerDurability } from "./ledger.ts";

export type Comparison = Readonly<{
  rows: number;
  /** Acknowledged, but missing. */
  lost: Readonly<PerDurability>;
  /** When the oldest of the lost `commit` writes was acknowledged, on the clock of performance.now(). */
  oldestLostCommitAtMs: number | null;
  /** Found with other content or another id than acknowledged. */
  differing: number;
  duplicated: number;
  /** Found although nobody wrote it, it was refused, or it had been lost before. */
  unexpected: number;
  /** The first few faults in words. */
  examples: readonly string[];
  /** The entries that were found. */
  found: ReadonlySet<Entry>;
}>;

const exampleLimit = 10;

/** Compares a database with the answers that its writers got, fact by fact. */
export function compareContent(ledger: Ledger, facts: Iterable<FoundFact>): Comparison {
  const examples: string[] = [];
  const counts = { rows: 0, differing: 0, duplicated: 0, unexpected: 0 };
  const found = new Set<Entry>();
  for (const fact of facts) {
    counts.rows += 1;
    const entry = ledger.find(fact);
    const fault = judgeFact(fact, entry, found);
    if (entry) found.add(entry);
    if (fault === null) continue;
    counts[fault.kind] += 1;
    note(examples, `${nameOf(fact)} ${fault.words}`);
  }
  return { ...counts, ...countLost(ledger, found, examples), examples, found };
}

type Fault = Readonly<{ kind: "differing" | "duplicated" | "unexpected"; words: string }>;

function judgeFact(fact: FoundFact, entry: Entry | null, found: ReadonlySet<Entry>): Fault | null {
  if (!entry) return { kind: "unexpected", words: "was written by nobody" };
  if (found.has(entry)) return { kind: "duplicated", words: "is there more than once" };
  if (entry.state === "refused") return { kind: "unexpected", words: "is there although it was refused" };
  if (entry.state === "lost") return { kind: "unexpected", words: "was lost before and has come back" };
  if (fact.sha256 !== entry.sha256) return { kind: "differing", words: "has other content than was written" };
  if (entry.id !== null && fact.id !== entry.id) {
    return { kind: "differing", words: `was acknowledged as ${entry.id} and is there as ${fact.id}` };
  }
  return null;
}

function countLost(ledger: Ledger, found: ReadonlySet<Entry>, examples: string[]) {
  const lost = { commit: 0, disk: 0, bucket: 0 };
  let oldestLostCommitAtMs: number | null = null;
  for (const entry of ledger.entries()) {
    if (found.has(entry)) continue;
    const promised = entry.state === "kept" ? "bucket" : entry.state === "acknowledged" ? entry.reached : null;
    if (promised === null) continue;
    lost[promised] += 1;
    if (promised === "bucket") note(examples, `${nameOf(entry)} was in the bucket and is lost`);
    if (promised === "commit" && entry.acknowledgedAtMs !== null) {
      oldestLostCommitAtMs = Math.min(oldestLostCommitAtMs ?? Infinity, entry.acknowledgedAtMs);
    }
  }
  return { lost, oldestLostCommitAtMs };
}

function note(examples: string[], words: string): void {
  if (examples.length < exampleLimit) examples.push(words);
}
