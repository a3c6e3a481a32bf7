import { type Static, Type } from "typebox";

import type { Bounds } from "./bounds.ts";
import type { Figures } from "./figures.ts";
import { listMeasures, type Measure } from "./measures.ts";

const strict = { additionalProperties: false };
const OptionalTime = Type.Union([Type.String(), Type.Null()]);

/** A reason to leave one machine with SQLite, and how close it is. */
export const Trigger = Type.Object(
  {
    trigger: Type.Union([Type.Literal("servers"), Type.Literal("writes"), Type.Literal("reports")], {
      description: "one machine is not enough; the one writer is not enough; reports hurt",
    }),
    state: Type.Union([Type.Literal("calm"), Type.Literal("near"), Type.Literal("reached")]),
    measure: Type.String({ description: "which of its measures decides" }),
    value: Type.Number(),
    near: Type.Number({ description: "from this value on the trigger is near" }),
    bound: Type.Number({ description: "from this value on it is reached" }),
    since: Type.String({ description: "when the state began" }),
    lastNear: { ...OptionalTime, description: "when it was last near or reached" },
    lastReached: OptionalTime,
    why: Type.String(),
    next: Type.Union([Type.String(), Type.Null()], { description: "what to do; null while it is calm" }),
  },
  strict,
);
export type Trigger = Static<typeof Trigger>;
type TriggerState = Trigger["state"];

const names: readonly Trigger["trigger"][] = ["servers", "writes", "reports"];
const states: readonly TriggerState[] = ["calm", "near", "reached"];

/** Shares of a shorter window would be those of a start. */
const leastSeconds = 300;

/** What was judged last, and the time of this judgement. */
type Moment = Readonly<{ before: readonly Trigger[]; at: Date }>;

/**
 * Judges the three triggers by the figures of a window. A state is left only when its measure has fallen a tenth below
 * the edge, so that a value on the edge does not go back and forth.
 */
export function judgeTriggers(figures: Figures, bounds: Bounds | null, { before, at }: Moment): Trigger[] {
  const measures = listMeasures(figures, bounds);
  return names.map((trigger) =>
    judge(trigger, measures[trigger], {
      figures,
      last: before.find((one) => one.trigger === trigger),
      now: at.toISOString(),
    }),
  );
}

/** Whether a trigger has come closer. */
export function isCloser(now: Trigger, before: Trigger | undefined): boolean {
  return rankOf(now.state) > rankOf(before?.state ?? "calm");
}

type Scene = { figures: Figures; last: Trigger | undefined; now: string };
type Judged = { measure: Measure; state: TriggerState; isEarly: boolean };

function judge(
  trigger: Trigger["trigger"],
  measures: readonly [Measure, ...Measure[]],
  { figures, last, now }: Scene,
): Trigger {
  const judged = measures.map((measure): Judged => {
    const isEarly = measure.isShare && figures.seconds < leastSeconds;
    return { measure, isEarly, state: isEarly ? "calm" : stateOf(measure, last?.state ?? "calm") };
  });
  const decisive = judged.reduce((most, one) => (closenessOf(one) > closenessOf(most) ? one : most));
  const { measure, state } = decisive;
  return {
    trigger,
    state,
    measure: measure.name,
    value: measure.value,
    near: measure.near,
    bound: measure.reached,
    since: last?.state === state ? last.since : now,
    lastNear: state === "calm" ? (last?.lastNear ?? null) : now,
    lastReached: state === "reached" ? now : (last?.lastReached ?? null),
    why: explain(decisive, figures),
    next: state === "calm" ? null : measure.next,
  };
}

const stayShare = 0.9;

function stateOf({ value, near, reached }: Measure, last: TriggerState): TriggerState {
  const edge = (limit: number, state: TriggerState) => (rankOf(last) >= rankOf(state) ? limit * stayShare : limit);
  if (value >= edge(reached, "reached")) return "reached";
  return value >= edge(near, "near") ? "near" : "calm";
}

function rankOf(state: TriggerState): number {
  return states.indexOf(state);
}

/** The worse state first, then the value that is the larger part of its bound. */
function closenessOf({ measure: { value, reached }, state }: Judged): number {
  return rankOf(state) + Math.min(value / reached, 100) / 101;
}

function explain({ measure: { fact, value, near, reached, show }, isEarly }: Judged, { seconds }: Figures): string {
  const span = seconds < 60 ? `${seconds} s` : `${Math.round(seconds / 60)} minutes`;
  const told = `In the last ${span} ${fact(show(value))}`;
  if (isEarly) return `${told}; it is judged from ${leastSeconds / 60} minutes on.`;
  return `${told}; it is near from ${show(near)} on, and reached from ${show(reached)} on.`;
}
