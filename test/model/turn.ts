import type { BootFacts, BootPlan } from "../../app/boot/decide-boot.ts";
import type { Machine, State, Step } from "./state.ts";

export const levels = ["commit", "disk", "bucket"] as const;
export const hazards = [
  "crash",
  "power loss",
  "volume lost",
  "volume moved",
  "answer lost",
  "clean stop",
  "base deleted",
  "increment deleted",
  "head deleted",
  "snapshot put back",
  "cloned",
  "cloned, with an id of its own",
  "learns its id",
  "earlier state asked for",
  "database brought",
] as const;

export type Level = (typeof levels)[number];
/**
 * What may happen to a machine or the bucket. All but the clean stop and the new name count as faults; at most one of the three
 * deletions happens.
 */
export type Hazard = (typeof hazards)[number];

export type Bounds = {
  machines: number;
  commits: number;
  epochs: number;
  faults: number;
  /** How often one epoch may be resumed. */
  resumes: number;
  levels: readonly Level[];
  hazards: readonly Hazard[];
};

/** A world to search: how many machines came up before, and the bounds. `leastStates` keeps it from becoming empty. */
export type Scene = { lives: number; leastStates: number; bounds: Bounds };

/** Deliberate errors in the steps around the table; the real thing has none. */
export type StepError =
  | "no-head-check"
  | "sync-in-flight"
  | "restore-first"
  | "staged"
  | "keep-clean"
  | "no-reread"
  | "new-base-no-parent"
  | "new-base-old-mark"
  | "clone-shares-id";

export type Rules = { bounds: Bounds; decide: (facts: BootFacts) => BootPlan; stepError: StepError | null };

/** One machine's turn in a state, for the functions that list its next steps. */
export type Turn = { state: State; index: number; machine: Machine; rules: Rules };

/** The step in which only this machine changes; `state` is what the step did to the world besides. */
export function move(turn: Turn, label: string, change: Partial<Machine> & { state?: State }): Step {
  const { state = turn.state, ...machine } = change;
  const machines = state.machines.map((other, at) => (at === turn.index ? { ...other, ...machine } : other));
  return { label, next: { ...state, machines } };
}

export function isFaultPossible(turn: Pick<Turn, "state" | "rules">, hazard: Hazard): boolean {
  const { bounds } = turn.rules;
  return turn.state.faults < bounds.faults && bounds.hazards.includes(hazard);
}

export function countFault(step: Step): Step {
  return { label: `*** ${step.label}`, next: { ...step.next, faults: step.next.faults + 1 } };
}
