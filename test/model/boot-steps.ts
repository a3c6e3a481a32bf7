import { gatherFacts, readClaim } from "./boot-facts.ts";
import { install, startLitestream, restore, writeMark } from "./install-steps.ts";
import { restoreContent } from "./replica.ts";
import { filesOf, type Head, isSameHead, type PhaseAt, type State, type Step } from "./state.ts";
import { countFault, isFaultPossible, move, type Turn } from "./turn.ts";

/** What a machine that boots does next; a crash may come between any two of these steps. */
export function bootSteps(turn: Turn): Step[] {
  const { phase } = turn.machine;
  switch (phase.at) {
    case "new":
    case "off":
      return mayBoot(turn)
        ? [move(turn, "boots, reads head", { phase: { at: "deciding", seen: turn.state.head } })]
        : [];
    case "deciding":
      return [decide(turn, phase)];
    case "refusing":
      return [rereadBeforeRefusal(turn, phase)];
    case "claiming":
      return claim(turn, phase);
    case "rereading":
      return [rereadAfterLostAnswer(turn, phase)];
    case "restoring":
      return [restore(turn, phase)];
    case "installing":
      return [install(turn, phase)];
    case "marking":
      return [writeMark(turn, phase)];
    case "starting":
      return [startApp(turn, phase)];
    case "serving":
    case "lost":
    case "fenced":
    case "refused":
    case "gone":
      return [];
    default:
      return phase satisfies never;
  }
}

// New machines are alike, so it is enough to let them come up in order.
function mayBoot({ state, index, machine }: Turn): boolean {
  return machine.phase.at === "off" || state.machines[index - 1]?.phase.at !== "new";
}

function decide(turn: Turn, { seen }: PhaseAt<"deciding">): Step {
  const facts = gatherFacts(turn, seen);
  const plan = turn.rules.decide(facts);
  if (plan.act === "refuse") {
    return move(turn, `row ${plan.row}: is about to refuse`, { phase: { at: "refusing", seen, row: plan.row } });
  }
  if (plan.act === "resume") return resume(turn, seen);
  const wanted = readClaim(plan, facts);
  const early = turn.rules.stepError === "restore-first";
  const restoredEarly = early && wanted.parent !== null ? restoreContent(filesOf(turn.state, wanted.parent)) : null;
  const label = `row ${plan.row}: will claim with parent ${wanted.parent ?? "none"}, content ${wanted.content}; writes the intent`;
  return move(turn, label, { phase: { at: "claiming", seen, claim: wanted, restoredEarly } });
}

function resume(turn: Turn, seen: Head | null): Step {
  const { mark } = turn.machine.volume;
  if (seen === null || mark === null) throw new Error("decideBoot resumed without a head or a mark: see row 3");
  const cleanTxid = turn.rules.stepError === "keep-clean" ? mark.cleanTxid : null;
  const started = startLitestream(turn, { ...mark, thisBoot: true, cleanTxid }, seen.epoch);
  return move(turn, `row 3: resumes epoch ${seen.epoch}`, started);
}

function rereadBeforeRefusal(turn: Turn, { seen, row }: PhaseAt<"refusing">): Step {
  const same = isSameHead(seen, turn.state.head) || turn.rules.stepError === "no-reread";
  if (!same) return move(turn, "re-reads head: it moved, starts over", { phase: { at: "off" } });
  return move(turn, `re-reads head: the same, REFUSES by row ${row}`, {
    phase: { at: "refused", row, cause: "table" },
  });
}

function claim(turn: Turn, phase: PhaseAt<"claiming">): Step[] {
  const { state, rules } = turn;
  if (!isSameHead(phase.seen, state.head)) return [move(turn, "loses the claim, exits", { phase: { at: "lost" } })];
  const epoch = state.epochs.length;
  if (epoch >= rules.bounds.epochs) return [];
  const won = swapHead(turn, phase);
  const rest = { epoch, claim: phase.claim, restoredEarly: phase.restoredEarly };
  const label = `wins the claim of epoch ${epoch}`;
  const steps = [move(turn, label, { state: won, phase: { at: "restoring", ...rest } })];
  if (isFaultPossible(turn, "answer lost")) {
    steps.push(
      countFault(move(turn, `${label}, the answer is lost`, { state: won, phase: { at: "rereading", ...rest } })),
    );
  }
  return steps;
}

/**
 * The world after a won claim. What other volumes owed at `commit` and `disk` is owed no longer: a take-over may lose
 * it.
 */
function swapHead({ state, index }: Turn, { seen, claim: wanted }: PhaseAt<"claiming">): State {
  const lastLiving =
    seen === null ? "" : seen.state === "opening" ? seen.mustHold : restoreContent(filesOf(state, seen.epoch));
  const head: Head = {
    epoch: state.epochs.length,
    state: "opening",
    machine: index,
    parent: wanted.parent,
    replaces: wanted.replaces,
    mustHold: lastLiving ?? "",
  };
  const machines = state.machines.map((other, at) =>
    at === index || other.volume.owed === "" ? other : { ...other, volume: { ...other.volume, owed: "" } },
  );
  return { ...state, head, machines, epochs: [...state.epochs, []] };
}

function rereadAfterLostAnswer(turn: Turn, phase: PhaseAt<"rereading" | "restoring">): Step {
  if (turn.state.head?.epoch !== phase.epoch) return move(turn, "re-reads head: another's", { phase: { at: "lost" } });
  return move(turn, "re-reads head: its own", { phase: { ...phase, at: "restoring" } });
}

function startApp(turn: Turn, { epoch, uploaded }: PhaseAt<"starting">): Step {
  if (turn.state.head?.epoch !== epoch) return move(turn, "re-reads head: fenced", { phase: { at: "fenced" } });
  const nothing = { detached: false, waiting: "", syncTarget: null, synced: "", checked: "", promoting: false };
  const { volume } = turn.machine;
  return move(turn, "re-reads head, serves", {
    volume: { ...volume, database: volume.database ?? "" },
    phase: { at: "serving", epoch, uploaded, ...nothing },
  });
}
