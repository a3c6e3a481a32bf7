import { type Durability, type Fact, nameOf } from "./facts.ts";

/**
 * `open`: sent, no answer yet. `acknowledged`: at the durability of `reached`. `refused`: nothing was written.
 * `unknown`: cut off, so it may exist or not. `kept`: found after a disaster, so it must exist from then on. `lost`:
 * not found after a disaster, so it must never come back.
 */
export type EntryState = "open" | "acknowledged" | "refused" | "unknown" | "kept" | "lost";

/** What the drill knows about one write. It is small, because a drill may hold 200,000 of them. */
export class Entry {
  readonly kind: string;
  readonly key: string;
  readonly sha256: string;
  state: EntryState = "open";
  reached: Durability | null = null;
  /** On the clock of performance.now(), as all moments here. */
  readonly sentAtMs = performance.now();
  /** When `reached` was reached. */
  acknowledgedAtMs: number | null = null;
  /** The id in the server's answer. */
  id: string | null = null;

  constructor(fact: Fact) {
    this.kind = fact.kind;
    this.key = fact.key;
    this.sha256 = fact.sha256;
  }
}

export type PerDurability = Record<Durability, number>;

/** "412 commit, 130 disk, 96 bucket". */
export function renderCounts({ commit, disk, bucket }: Readonly<PerDurability>): string {
  return `${commit} commit, ${disk} disk, ${bucket} bucket`;
}

const ranks = { commit: 0, disk: 1, bucket: 2 } as const;

/** Every write that was sent, with its answer. The drill compares databases with it. */
export class Ledger {
  readonly #entries = new Map<string, Entry>();
  #acknowledgedCount = 0;

  /** The number of acknowledged writes so far, at any durability. */
  get acknowledgedCount(): number {
    return this.#acknowledgedCount;
  }

  /** Call it before the write is sent. Throws when a name is used twice. */
  open(fact: Fact): Entry {
    const name = nameOf(fact);
    if (this.#entries.has(name)) throw new Error(`the drill wrote ${name} twice`);
    const entry = new Entry(fact);
    this.#entries.set(name, entry);
    return entry;
  }

  find(fact: Fact): Entry | null {
    return this.#entries.get(nameOf(fact)) ?? null;
  }

  entries(): IterableIterator<Entry> {
    return this.#entries.values();
  }

  /** Keeps the strongest promise: a repetition at a lower durability takes nothing back. */
  acknowledge(entry: Entry, { reached, id }: { reached: Durability; id: string }): void {
    if (entry.id !== null && entry.id !== id) {
      throw new Error(`${nameOf(entry)} was acknowledged as ${entry.id} and, when repeated, as ${id}`);
    }
    if (entry.reached !== null && ranks[entry.reached] >= ranks[reached]) return;
    if (entry.state !== "acknowledged") this.#acknowledgedCount += 1;
    entry.state = "acknowledged";
    entry.reached = reached;
    entry.id = id;
    entry.acknowledgedAtMs = performance.now();
  }

  /** This request wrote nothing. The answer to an earlier try of the same write still counts. */
  refuse(entry: Entry): void {
    if (entry.state === "open") entry.state = "refused";
  }

  /** The answer never came, or said that the outcome is unknown. */
  cutOff(entry: Entry): void {
    if (entry.state === "open" || entry.state === "refused") entry.state = "unknown";
  }

  /** Call it after a disaster and its comparison: marks what was found as kept, and everything else as lost. */
  settle(found: ReadonlySet<Entry>): void {
    for (const entry of this.#entries.values()) {
      if (found.has(entry)) {
        entry.state = "kept";
      } else if (entry.state !== "refused") {
        entry.state = "lost";
      }
    }
  }

  /**
   * Counts what a superseded machine acknowledged after it woke up. A write that was sent after that must not exist
   * anywhere. One that was sent before may have been written before the machine froze: at `bucket` it must exist, at
   * another durability it may.
   */
  judgeSince(wokenAtMs: number): { broken: PerDurability; lateAnswers: PerDurability } {
    const broken = { commit: 0, disk: 0, bucket: 0 };
    const lateAnswers = { commit: 0, disk: 0, bucket: 0 };
    for (const entry of this.#entries.values()) {
      if (entry.state !== "acknowledged" || entry.reached === null) continue;
      if (entry.acknowledgedAtMs === null || entry.acknowledgedAtMs < wokenAtMs) continue;
      const isLate = entry.sentAtMs < wokenAtMs;
      (isLate ? lateAnswers : broken)[entry.reached] += 1;
      if (!isLate) entry.state = "lost";
      else if (entry.reached !== "bucket") entry.state = "unknown";
    }
    return { broken, lateAnswers };
  }

  /** Counts the writes since the last disaster: acknowledged at each durability, refused, without an outcome. */
  count(): { acknowledged: PerDurability; refused: number; unknown: number } {
    const acknowledged = { commit: 0, disk: 0, bucket: 0 };
    let refused = 0;
    let unknown = 0;
    for (const { state, reached } of this.#entries.values()) {
      if (state === "acknowledged" && reached !== null) acknowledged[reached] += 1;
      if (state === "refused") refused += 1;
      if (state === "unknown" || state === "open") unknown += 1;
    }
    return { acknowledged, refused, unknown };
  }
}
