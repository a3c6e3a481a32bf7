import { startLitestream } from "./install-steps.ts";
import { chainOf } from "./replica.ts";
import {
  addCommits,
  filesOf,
  firstRun,
  type Head,
  isHead,
  type PhaseAt,
  type Serving,
  type State,
  type Step,
} from "./state.ts";
import { move, type Turn } from "./turn.ts";

/** A serving machine whose replica was found broken moves to a new epoch; a crash may come between any two steps. */
export function newBaseSteps(turn: Turn): Step[] {
  const { phase } = turn.machine;
  if (phase.at === "serving") return claimForItself(turn, phase);
  if (phase.at !== "rebasing") return [];
  return [phase.isCleared ? goOn(turn, phase) : clearStaged(turn, phase)];
}

function claimForItself(turn: Turn, serving: Serving): Step[] {
  const { state, machine, rules } = turn;
  const seen = state.head;
  const isOurs = isHead(seen, serving) && seen.state === "living" && !serving.detached;
  const isBroken = chainOf(filesOf(state, serving.epoch)).state !== "whole";
  const epoch = state.epochs.length;
  if (!isOurs || !isBroken || epoch >= rules.bounds.epochs) return [];
  const head: Head = {
    epoch,
    state: "opening",
    machine: machine.identity,
    by: machine.body,
    run: firstRun,
    parent: rules.stepError === "new-base-no-parent" ? null : seen.epoch,
    parentRun: seen.run,
    parentTxid: null,
    replaces: [seen.epoch],
    mustHold: "",
    dropped: seen.dropped,
  };
  const won: State = { ...state, head, epochs: [...state.epochs, []] };
  const label = `finds epoch ${seen.epoch} broken, wins epoch ${epoch} for itself`;
  return [move(turn, label, { state: won, phase: { at: "rebasing", epoch, serving, isCleared: false } })];
}

function clearStaged(turn: Turn, phase: PhaseAt<"rebasing">): Step {
  const volume = { ...turn.machine.volume, staged: [] };
  return move(turn, "stops Litestream, removes its files", { volume, phase: { ...phase, isCleared: true } });
}

/** What was not yet acknowledged waits for a sync of the new epoch. */
function goOn(turn: Turn, { epoch, serving }: PhaseAt<"rebasing">): Step {
  const old = turn.machine.volume.mark;
  const { identity, body } = turn.machine;
  const mark = { epoch, machine: identity, by: body, runs: [firstRun], thisBoot: true, cleanTxid: null };
  const kept = turn.rules.stepError === "new-base-old-mark" && old !== null ? old : mark;
  const { volume } = startLitestream(turn, kept, { epoch, run: firstRun });
  const waiting = addCommits(serving.waiting, serving.synced + serving.checked);
  const fresh = {
    epoch,
    run: firstRun,
    uploaded: 0,
    waiting,
    syncTarget: null,
    synced: "",
    checked: "",
    promoting: false,
  };
  return move(turn, `writes the mark of epoch ${epoch}, goes on`, { volume, phase: { ...serving, ...fresh } });
}
