import { bootSteps } from "./boot-steps.ts";
import { restoreContent } from "./replica.ts";
import {
  filesOf,
  holdsAll,
  initialState,
  isHead,
  type Machine,
  machineName,
  newMachine,
  type PhaseAt,
  type State,
} from "./state.ts";
import type { Rules } from "./turn.ts";

export const invariants = {
  I1: "a write acknowledged at bucket survives everything",
  I2: "a write acknowledged at disk (or at commit, without a power loss) survives on a kept volume",
  I3: "one history is served, never a splice of two",
  I4: "no machine serves less than the last living epoch held",
  I5: "nobody needs a human, unless the bucket was damaged or a superseded machine came back",
  I6: "a server that another one has replaced does not take over again by itself",
  I7: "what was given up for an earlier state does not come back",
} as const;

export type Invariant = keyof typeof invariants;
export type Violation = { invariant: Invariant; text: string };

/** Where a lone new machine ends that boots from this bucket, without any fault. */
export type Rescue = { serves: string } | { refuses: number };

/** The first invariant that this state breaks; null when it is sound. */
export function findViolation(state: State, rescue: Rescue): Violation | null {
  return judgeHistories(state) ?? judgeMachines(state) ?? judgeRescue(state, rescue);
}

/** Boots a new machine from this bucket alone, with no fault on its way. The answer depends on head and epochs only. */
export function bootNewMachine(store: Pick<State, "head" | "epochs">, rules: Rules): Rescue {
  const ample = { ...rules, bounds: { ...rules.bounds, epochs: Number.POSITIVE_INFINITY, faults: 0 } };
  // The rescuer's number is nobody else's: head may name any of the others.
  const index = rules.bounds.machines;
  const machines = Array.from({ length: index + 1 }, (_, identity) => newMachine(identity, "off"));
  let state: State = { ...initialState(0), ...store, machines };
  for (;;) {
    const rescuer = state.machines[index];
    if (rescuer === undefined) throw new Error("the rescuer vanished from its own world");
    if (rescuer.phase.at === "serving") return { serves: rescuer.volume.database ?? "" };
    if (rescuer.phase.at === "refused") return { refuses: rescuer.phase.row };
    const [step] = bootSteps({ state, index, machine: rescuer, rules: ample });
    if (step === undefined)
      throw new Error(`a lone new machine got stuck while ${rescuer.phase.at}: a step of boot is missing`);
    state = step.next;
  }
}

function judgeHistories({ replicated, histories }: State): Violation | null {
  if (replicated === "" || histories.some((content) => holdsAll(content, replicated))) return null;
  return { invariant: "I3", text: `acknowledged in the bucket: "${replicated}", but no single history holds it` };
}

function judgeMachines(state: State): Violation | null {
  for (const [index, machine] of state.machines.entries()) {
    const found = judgeMachine(state, machine);
    if (found !== null) return { ...found, text: `${machineName(index)} ${found.text}` };
  }
  return null;
}

function judgeMachine(state: State, machine: Machine): Violation | null {
  const { phase, volume } = machine;
  if (phase.at === "refused") return judgeRefusal(state, machine, phase);
  if (phase.at === "claiming") return judgeClaim(machine, phase);
  if (phase.at !== "serving" || !isHead(state.head, phase)) return null;
  const content = volume.database ?? "";
  const found = judgeContent(state, content);
  if (found === null && !holdsAll(content, volume.owed)) {
    return { invariant: "I2", text: `serves "${content}" from a kept volume that owed "${volume.owed}"` };
  }
  return found;
}

function judgeContent({ head, histories, replicated }: State, content: string): Violation | null {
  const last = content.charCodeAt(content.length - 1) - "a".charCodeAt(0);
  if (content !== "" && histories[last] !== content) return { invariant: "I3", text: `serves the splice "${content}"` };
  if (!holdsAll(content, replicated)) {
    return { invariant: "I1", text: `serves "${content}", acknowledged in the bucket: "${replicated}"` };
  }
  const back = content.split("").filter((commit) => head?.dropped.includes(commit));
  if (back.length > 0) return { invariant: "I7", text: `serves "${content}", given up was "${head?.dropped}"` };
  if (head !== null && !content.startsWith(head.mustHold)) {
    return { invariant: "I4", text: `serves "${content}", the living epoch held "${head.mustHold}"` };
  }
  return null;
}

/** Its mark shows that it served, and head shows that another one served after it. */
function judgeClaim({ body, volume }: Machine, { seen }: PhaseAt<"claiming">): Violation | null {
  if (seen === null || seen.by === body || volume.mark?.by !== body) return null;
  return { invariant: "I6", text: `will take over from ${machineName(seen.by)}, which had replaced it` };
}

// Row 4 is right without damage when another server has taken over. Of two machines with one identity, either may.
function judgeRefusal(
  { damaged, head, machines }: State,
  { body }: Machine,
  { row, cause }: PhaseAt<"refused">,
): Violation | null {
  if (cause === "diverged") return { invariant: "I5", text: "refuses: equal sequence, unequal token" };
  const isReplaced = head?.by !== body || machines.filter((machine) => machine.body === body).length > 1;
  return damaged || (row === 4 && isReplaced)
    ? null
    : { invariant: "I5", text: `refuses by row ${row} although nothing was damaged` };
}

function judgeRescue(state: State, outcome: Rescue): Violation | null {
  if ("refuses" in outcome)
    return state.damaged ? null : { invariant: "I5", text: `a new machine refuses by row ${outcome.refuses}` };
  const mustHold = livingContent(state);
  const found = judgeContent(state, outcome.serves);
  if (found !== null) return { ...found, text: `a new machine ${found.text}` };
  if (outcome.serves.startsWith(mustHold)) return null;
  return { invariant: "I4", text: `a new machine serves "${outcome.serves}", the living epoch holds "${mustHold}"` };
}

function livingContent(state: State): string {
  if (state.head === null || state.head.state === "opening") return "";
  return restoreContent(filesOf(state, state.head.epoch)) ?? "";
}
