import { type Files, restoreContent, withoutBase, withoutIncrement } from "./replica.ts";
import {
  blankVolume,
  filesOf,
  holdsSomething,
  type Machine,
  machineName,
  newMachine,
  type Order,
  removeCommits,
  type State,
  type Step,
  type Volume,
  withFiles,
} from "./state.ts";
import { countFault, type Hazard, isFaultPossible, move, type Rules, type Turn } from "./turn.ts";

/** What may happen to one machine, wherever it is. */
export function machineFaults(turn: Turn): Step[] {
  const { phase } = turn.machine;
  if (phase.at === "new" || phase.at === "gone") return [];
  const steps = [
    ...stopFaults(turn),
    ...moveVolume(turn),
    ...snapshotFaults(turn),
    ...cloneMachine(turn),
    ...learnId(turn),
    ...askForEarlierState(turn),
    ...bringDatabase(turn),
  ];
  const where = phase.at === "serving" ? "" : ` (while ${phase.at})`;
  return steps.map(({ label, next }) => ({ label: `${label}${where}`, next }));
}

/** What may happen to the bucket, once: somebody deletes what nobody should. */
export function bucketFaults(state: State, rules: Rules): Step[] {
  if (state.damaged) return [];
  const steps: Step[] = [];
  const damage = (label: string, next: State): void => {
    steps.push(countFault({ label, next: { ...next, damaged: true } }));
  };
  const deletions: [possible: boolean, what: string, remove: (files: Files) => Files | null][] = [
    [isFaultPossible({ state, rules }, "base deleted"), "base", withoutBase],
    [isFaultPossible({ state, rules }, "increment deleted"), "an increment", withoutIncrement],
  ];
  for (const [possible, what, remove] of deletions) {
    if (!possible) continue;
    state.epochs.forEach((files, epoch) => {
      const rest = remove(files);
      if (rest !== null) damage(`${what} of epoch ${epoch} deleted`, withFiles(state, epoch, rest));
    });
  }
  const unseen = !state.machines.some(hasSeenNoHead);
  if (state.head !== null && unseen && isFaultPossible({ state, rules }, "head deleted")) {
    damage("head deleted", { ...state, head: null });
  }
  return steps;
}

// If-None-Match cannot tell "never was" from "was there and is gone again": a deletion just within a first boot's claim
// is left out.
function hasSeenNoHead({ phase }: Machine): boolean {
  return "seen" in phase && phase.seen === null;
}

function stopFaults(turn: Turn): Step[] {
  const { machine } = turn;
  const steps: Step[] = [];
  const stop = (label: string, volume: Volume): void => {
    steps.push(countFault(move(turn, label, { volume, phase: { at: "off" } })));
  };
  if (machine.phase.at === "serving" && machine.phase.detached) return [];
  if (isRunning(machine) && isFaultPossible(turn, "crash")) stop("process crash", machine.volume);
  if (isFaultPossible(turn, "power loss")) {
    const snapshot =
      machine.snapshot === null ? null : { ...machine.snapshot, mark: forgetBoot(machine.snapshot.mark) };
    const change = { volume: losePageCache(machine.volume), snapshot, phase: { at: "off" } } as const;
    steps.push(countFault(move(turn, "power loss or reboot", change)));
  }
  if (holdsSomething(machine.volume) && isFaultPossible(turn, "volume lost")) stop("volume lost", blankVolume());
  return steps;
}

/**
 * Somebody copies the disk, and puts the copy back later: within one start of the system, or with a reboot in between.
 * What only the disk had since is lost with it, and a copy from an earlier run counts as a lost disk.
 */
function snapshotFaults(turn: Turn): Step[] {
  const { machine, state } = turn;
  const { volume, snapshot, phase } = machine;
  if (!isFaultPossible(turn, "snapshot put back") || (phase.at === "serving" && phase.detached)) return [];
  if (snapshot === null) {
    if (volume.database === null || volume.mark === null) return [];
    return [move(turn, "a snapshot of its disk is taken", { snapshot: volume })];
  }
  const kept = snapshot.database ?? "";
  const isOfThisRun = snapshot.mark?.epoch === state.head?.epoch && snapshot.mark?.runs.includes(state.head?.run ?? "");
  const owed = isOfThisRun
    ? volume.owed
        .split("")
        .filter((commit) => kept.includes(commit))
        .join("")
    : "";
  const back = { ...snapshot, fsynced: kept.length, owed };
  const rebooted = { ...back, mark: forgetBoot(back.mark) };
  return [
    countFault(move(turn, "its snapshot is put back", { volume: back, snapshot: null, phase: { at: "off" } })),
    countFault(
      move(turn, "its snapshot is put back, reboot", { volume: rebooted, snapshot: null, phase: { at: "off" } }),
    ),
  ];
}

/**
 * A new server is made from an image of this one: a copy of the disk, another start of the system. Where no provider
 * tells them apart, it shares the identity too.
 */
function cloneMachine(turn: Turn): Step[] {
  const { state, machine, rules } = turn;
  const target = state.machines.findIndex((other) => other.phase.at === "new");
  if (target <= 0 || machine.volume.database === null) return [];
  const { identity, former, body } = machine;
  const named = rules.stepError === "clone-shares-id" ? identity : target;
  const clones: [hazard: Hazard, names: Partial<Machine>][] = [
    ["cloned", { identity, former, body }],
    ["cloned, with an id of its own", { identity: named, former, body: target }],
  ];
  return clones.flatMap(([hazard, names]) => {
    if (!isFaultPossible(turn, hazard)) return [];
    const clone = { ...newMachine(target, "off"), ...names, volume: { ...losePageCache(machine.volume), owed: "" } };
    const machines = state.machines.with(target, clone);
    return [countFault(move(turn, `is ${hazard} as ${machineName(target)}`, { state: { ...state, machines } }))];
  });
}

/** A machine that is down starts with a release that asks the provider for its name. Before, the disk had the name. */
function learnId(turn: Turn): Step[] {
  const { machine, index, rules } = turn;
  const { identity, former } = machine;
  const isAsked = former === null && !isRunning(machine) && rules.bounds.hazards.includes("learns its id");
  if (!isAsked) return [];
  const learned = { identity: rules.bounds.machines + index, former: identity, phase: { at: "off" } } as const;
  return [move(turn, `learns its id, ${machineName(learned.identity)}, starts anew`, learned)];
}

/**
 * After a clean stop somebody asks for an earlier state, of this epoch or of the one before it. Nobody has to boot at
 * once, and the order stays where it is.
 */
function askForEarlierState(turn: Turn): Step[] {
  const { state, machine } = turn;
  const stop = findStop(turn);
  if (stop === null || !isFaultPossible(turn, "earlier state asked for")) return [];
  return [stop.of, state.head?.parent ?? -1].flatMap((epoch) =>
    filesOf(state, epoch).flatMap((_, index) => {
      const txid = index + 1;
      if (restoreContent(filesOf(state, epoch), txid) === null) return [];
      const order = { ...stop, epoch, txid, incoming: null, commits: state.histories.length };
      const label = `is asked for epoch ${epoch} at TXID ${txid}`;
      return [countFault(move(turn, label, { volume: { ...machine.volume, order } }))];
    }),
  );
}

/** A database is brought to a machine that nobody has written to yet. Its rows count as one commit. */
function bringDatabase(turn: Turn): Step[] {
  const { state, machine } = turn;
  const stop = findStop(turn);
  if (stop === null || state.histories.length > 0 || !isFaultPossible(turn, "database brought")) return [];
  const order = { ...stop, epoch: stop.of, txid: stop.stoppedAt, incoming: "a", commits: 0 };
  const brought = { state: { ...state, histories: ["a"] }, volume: { ...machine.volume, order } };
  return [countFault(move(turn, "is brought a database", brought))];
}

/** The clean stop of a machine that head names. */
function findStop({ state: { head }, machine }: Turn): Pick<Order, "of" | "run" | "stoppedAt"> | null {
  const { mark } = machine.volume;
  if (machine.phase.at !== "off" || mark === null || head?.state !== "living" || mark.cleanTxid === null) return null;
  const isHere = mark.epoch === head.epoch && mark.runs.includes(head.run);
  return isHere ? { of: head.epoch, run: head.run, stoppedAt: mark.cleanTxid } : null;
}

/** The volume is attached to a new machine. A serving machine does not notice and goes on in its page cache. */
function moveVolume(turn: Turn): Step[] {
  const { state, machine } = turn;
  const { phase, volume } = machine;
  const target = state.machines.findIndex((other) => other.phase.at === "new");
  const movable = volume.database !== null && !(phase.at === "serving" && phase.detached);
  if (target <= 0 || !movable || !isFaultPossible(turn, "volume moved")) return [];
  const arrived: Machine = { ...newMachine(target, "off"), volume: losePageCache(volume) };
  const moved = { ...state, machines: state.machines.with(target, arrived) };
  const label = `volume moved to the new machine ${machineName(target)}`;
  if (phase.at !== "serving") return [countFault(move(turn, label, { state: moved, phase: { at: "gone" } }))];
  const left = { state: moved, volume: { ...volume, owed: "" }, phase: { ...phase, detached: true } };
  return [countFault(move(turn, `${label}, the old one lives on`, left))];
}

function losePageCache(volume: Volume): Volume {
  const { database, mark } = volume;
  if (database === null) return { ...volume, mark: forgetBoot(mark) };
  const lost = database.slice(volume.fsynced);
  const kept = database.slice(0, volume.fsynced);
  return { ...volume, database: kept, mark: forgetBoot(mark), owed: removeCommits(volume.owed, lost) };
}

function forgetBoot(mark: Volume["mark"]): Volume["mark"] {
  return mark === null ? null : { ...mark, thisBoot: false };
}

function isRunning({ phase }: Machine): boolean {
  return !["off", "refused", "lost", "fenced"].includes(phase.at);
}
