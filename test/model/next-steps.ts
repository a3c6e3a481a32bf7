import { appSteps } from "./app-steps.ts";
import { bootSteps } from "./boot-steps.ts";
import { bucketFaults, machineFaults } from "./faults.ts";
import { litestreamSteps } from "./litestream-steps.ts";
import { newBaseSteps } from "./new-base-steps.ts";
import type { Files } from "./replica.ts";
import {
  blankVolume,
  holdsSomething,
  initialState,
  type Machine,
  machineName,
  type State,
  type Step,
} from "./state.ts";
import type { Rules } from "./turn.ts";

const noEpoch: Files = [];
const unreadEpoch: Files = ["unread"];

/** Everything that can happen next. */
export function nextSteps(state: State, rules: Rules): Step[] {
  const steps = state.machines.flatMap((machine, index) => {
    const turn = { state, index, machine, rules };
    const own = [
      ...bootSteps(turn),
      ...litestreamSteps(turn),
      ...appSteps(turn),
      ...newBaseSteps(turn),
      ...machineFaults(turn),
    ];
    return own.map(({ label, next }) => ({ label: `${machineName(index)} ${label}`, next }));
  });
  return [...steps, ...bucketFaults(state, rules)].map(({ label, next }) => ({ label, next: forgetUnreadable(next) }));
}

/**
 * The world after the first `lives` machines came up undisturbed, one after the other: the last one's epoch is living,
 * nothing was written yet.
 */
export function startingState(rules: Rules, lives: number): State {
  const quiet = { ...rules, bounds: { ...rules.bounds, commits: 0, faults: 0, hazards: [] } };
  let state = initialState(rules.bounds.machines);
  for (let index = 0; index < lives; index++) {
    while (state.head?.machine !== index || state.head.state !== "living") {
      // Later ones first: a sync that answered is followed by "living", not by another sync.
      const step = nextSteps(state, quiet).findLast(({ label }) => label.startsWith(machineName(index)));
      if (step === undefined)
        throw new Error(`machine ${machineName(index)} cannot come up undisturbed: a step is missing`);
      state = step.next;
    }
  }
  return state;
}

/**
 * Two states that differ only in what nobody can ever read again are one: files of epochs out of reach, the volume of a
 * machine that is gone.
 */
function forgetUnreadable(state: State): State {
  const readable = new Set(state.machines.flatMap((machine) => epochsInReach(machine)));
  if (state.head !== null) readable.add(state.head.epoch).add(state.head.parent ?? -1);
  const unread = (files: Files, epoch: number): boolean =>
    !readable.has(epoch) && files !== noEpoch && files !== unreadEpoch;
  if (!state.epochs.some(unread) && !state.machines.some(isForgotten)) return state;
  return {
    ...state,
    epochs: state.epochs.map((files, epoch) =>
      unread(files, epoch) ? (files.length > 0 ? unreadEpoch : noEpoch) : files,
    ),
    machines: state.machines.map((machine) =>
      isForgotten(machine) ? { ...machine, volume: blankVolume(), snapshot: null } : machine,
    ),
  };
}

function epochsInReach({ phase, volume, snapshot }: Machine): number[] {
  const ordered = [volume.order?.epoch ?? -1, snapshot?.order?.epoch ?? -1];
  if ("seen" in phase) return phase.seen === null ? ordered : [...ordered, phase.seen.epoch, phase.seen.parent ?? -1];
  return "claim" in phase ? [...ordered, phase.claim.parent ?? -1] : ordered;
}

function isForgotten({ phase, volume }: Machine): boolean {
  return phase.at === "gone" && holdsSomething(volume);
}
