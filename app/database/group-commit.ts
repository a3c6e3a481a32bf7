import type Database from "better-sqlite3";

import type { Command } from "./command.ts";
import { raiseCommitSequence, readCommitSequence } from "./commit-sequence.ts";
import { pruneResults } from "./idempotency.ts";
import { runMember } from "./run-member.ts";
import { isBusy, isDiskFull, toDiskFailed } from "./sqlite-failure.ts";
import { prepareStatement } from "./transaction.ts";
import type { RefusalReason, WriteAnswer, WriteOutcome } from "./write-outcome.ts";
import type { WriteRequest } from "./writer-messages.ts";

export type GroupEngine = {
  db: Database.Database;
  commands: ReadonlyMap<string, Command>;
  isFenced: () => boolean;
  /** Told of each request whose command begins, and of null when none runs any more. */
  onRunning?: (id: number | null) => void;
  nowMs: () => number;
  /** Ages stored results: see makeRunningClock. */
  runningMs: () => number;
  /** A group takes no further member after this much work; one long command still runs to its end. */
  groupWorkMs: number;
};

/** COMMIT failed in a way that does not tell whether the group is there. The connection must not be used again. */
export class CommitOutcomeUnknown extends Error {
  override readonly name = "CommitOutcomeUnknown";
}

/**
 * Takes requests from the front of the queue and commits them together: one BEGIN IMMEDIATE … COMMIT, each command in
 * a savepoint of its own, `synchronous` at the strongest level that was asked for. Answers what it took, after COMMIT;
 * when the group as a whole failed, every answer is a refusal. Throws only CommitOutcomeUnknown and DiskFailed.
 */
export function commitGroup(engine: GroupEngine, queue: WriteRequest[]): WriteAnswer[] {
  const waiting = queue.slice(0, groupLimit);
  const members: Member[] = [];
  const answers = answerGroup(engine, waiting, members);
  queue.splice(0, answers.length);
  return answers;
}

type Member = { request: WriteRequest; outcome?: WriteOutcome };
type Refusal = { reason: RefusalReason; detail: string };
class Fenced extends Error {}

// Bounds how long one member waits for its neighbours, as groupWorkMs does.
const groupLimit = 1000;

function answerGroup(engine: GroupEngine, waiting: readonly WriteRequest[], members: Member[]): WriteAnswer[] {
  try {
    beginGroup(engine, waiting);
    runMembers(engine, waiting, members);
    engine.onRunning?.(null);
    const sequence = finishGroup(engine, members);
    return members.map((member) => answerMember(member, sequence));
  } catch (error) {
    engine.onRunning?.(null);
    if (error instanceof CommitOutcomeUnknown) throw error;
    const diskFailed = toDiskFailed(error, engine.db.name);
    if (diskFailed !== undefined) throw diskFailed;
    if (engine.db.inTransaction) prepareStatement(engine.db, "rollback").run();
    const refused = members.length === 0 ? waiting : members.map((member) => member.request);
    const { reason, detail } = explainRefusal(error);
    return refused.map(({ id }) => ({ id, outcome: "refused", reason, detail }));
  }
}

function beginGroup({ db, isFenced }: GroupEngine, waiting: readonly WriteRequest[]): void {
  if (isFenced()) throw new Fenced();
  const toDisk = waiting.some((request) => request.durability === "disk");
  // SQLite refuses to change this inside a transaction.
  db.exec(toDisk ? "pragma synchronous = FULL" : "pragma synchronous = NORMAL");
  prepareStatement(db, "begin immediate").run();
}

function runMembers(engine: GroupEngine, waiting: readonly WriteRequest[], members: Member[]): void {
  const startMs = performance.now();
  for (const request of waiting) {
    const member: Member = { request };
    members.push(member);
    engine.onRunning?.(request.id);
    member.outcome = runMember(engine, request);
    if (performance.now() - startMs > engine.groupWorkMs) return;
  }
}

function finishGroup(engine: GroupEngine, members: readonly Member[]): number {
  const { db } = engine;
  const done = members.filter(({ outcome }) => outcome?.outcome === "done");
  const written = done.filter(({ outcome }) => outcome?.outcome === "done" && !outcome.replayed);
  // A replay asked for at `disk` needs a commit of its own: its fsync covers the frames of the first one.
  if (written.length === 0 && !done.some(({ request }) => request.durability === "disk")) {
    const { sequence } = readCommitSequence(db);
    prepareStatement(db, "rollback").run();
    return sequence;
  }
  const storedCount = written.filter(({ request }) => request.idempotency !== undefined).length;
  // Twice what came in, so that the table shrinks under any load.
  if (storedCount > 0) pruneResults(db, 2 * storedCount, engine.runningMs());
  const sequence = raiseCommitSequence(db);
  commitOrThrow(engine);
  return sequence;
}

function commitOrThrow({ db, isFenced }: GroupEngine): void {
  if (isFenced()) throw new Fenced();
  try {
    prepareStatement(db, "commit").run();
  } catch (error) {
    // Still open: it can be rolled back. Full: the commit frame, written last, did not get in. Anything else (a failed
    // fsync, the wal-index) may leave a whole commit frame in the WAL, which the next recovery would bring back.
    if (db.inTransaction || isDiskFull(error)) throw error;
    throw new CommitOutcomeUnknown("COMMIT failed after it may have reached the WAL", { cause: error });
  }
}

function answerMember({ request: { id }, outcome }: Member, sequence: number): WriteAnswer {
  if (outcome === undefined) throw new Error(`request ${id} was taken into a group and not run`);
  return outcome.outcome === "done" ? { id, ...outcome, sequence } : { id, ...outcome };
}

function explainRefusal(error: unknown): Refusal {
  const detail = error instanceof Error ? error.message : String(error);
  if (error instanceof Fenced) return { reason: "fenced", detail: "another machine holds the claim" };
  if (isDiskFull(error)) return { reason: "disk-full", detail };
  if (isBusy(error)) return { reason: "busy", detail };
  return { reason: "rolled-back", detail };
}
