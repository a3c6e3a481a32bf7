import { restoreContent } from "./replica.ts";
import { filesOf, firstRun, type Machine, type Mark, type PhaseAt, type Step } from "./state.ts";
import { move, type Turn } from "./turn.ts";

type Restoring = PhaseAt<"rereading" | "restoring">;

/** The parent is read after the claim was won, unless the plan needs nothing from it. */
export function restore(turn: Turn, { epoch, claim, restoredEarly }: Restoring): Step {
  if (claim.parent === null || ["fresh", "volume", "import"].includes(claim.content)) {
    return move(turn, `needs no restore (${claim.content})`, {
      phase: { at: "installing", epoch, claim, restored: null },
    });
  }
  const restored =
    turn.rules.stepError === "restore-first"
      ? restoredEarly
      : restoreContent(filesOf(turn.state, claim.parent), claim.parentTxid);
  if (restored === null) {
    return move(turn, `cannot restore epoch ${claim.parent}: REFUSES`, {
      phase: { at: "refused", row: claim.row, cause: "no parent" },
    });
  }
  return move(turn, `restores epoch ${claim.parent}: "${restored}"`, {
    phase: { at: "installing", epoch, claim, restored },
  });
}

/** The winner of volume and restore goes to its place, fsynced; Litestream's old local files are removed. */
export function install(turn: Turn, { epoch, claim, restored }: PhaseAt<"installing">): Step {
  const { volume } = turn.machine;
  const mine = volume.database ?? "";
  const theirs = (claim.content === "import" ? volume.order?.incoming : restored) ?? "";
  if (claim.content === "compare" && mine.length === theirs.length && mine.at(-1) !== theirs.at(-1)) {
    const phase = { at: "refused", row: claim.row, cause: "diverged" } as const;
    return move(turn, `compares "${mine}" with "${theirs}": REFUSES`, { phase });
  }
  const keep = claim.content === "volume" || (claim.content === "compare" && mine.length >= theirs.length);
  // A fresh start gets an empty database here.
  const database = keep ? mine : theirs;
  const staged = turn.rules.stepError === "staged" ? volume.staged : [];
  return move(turn, `installs ${keep ? `the volume's "${mine}"` : `"${theirs}"`}`, {
    volume: { ...volume, database, fsynced: database.length, staged },
    phase: { at: "marking", epoch },
  });
}

export function writeMark(turn: Turn, { epoch }: PhaseAt<"marking">): Step {
  const { identity, body } = turn.machine;
  const mark = { epoch, machine: identity, by: body, runs: [firstRun], thisBoot: true, cleanTxid: null };
  return move(turn, `writes the mark of epoch ${epoch}`, startLitestream(turn, mark, { epoch, run: firstRun }));
}

/**
 * Litestream starts under this mark. With fewer local files than the replica has it drops them: a new base comes next.
 */
export function startLitestream(
  { state, machine }: Turn,
  mark: Mark,
  { epoch, run }: { epoch: number; run: string },
): Machine {
  const remote = filesOf(state, epoch);
  const { volume } = machine;
  const staged = volume.staged.length < remote.length ? remote.map(() => "?") : volume.staged;
  const phase = { at: "starting", epoch, run, uploaded: remote.length } as const;
  return { ...machine, volume: { ...volume, mark, staged }, phase };
}
