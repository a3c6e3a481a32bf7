import { gatherFacts, readClaim } from "./boot-facts.ts";
import { install, startLitestream, restore, writeMark } from "./install-steps.ts";
import { type Content, restoreContent } from "./replica.ts";
import {
  type Claim,
  filesOf,
  firstRun,
  type Head,
  isHead,
  isSameHead,
  type Machine,
  machineName,
  type Mark,
  type PhaseAt,
  removeCommits,
  type State,
  type Step,
} from "./state.ts";
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
      return decide(turn, phase);
    case "refusing":
      return [rereadBeforeRefusal(turn, phase)];
    case "claiming":
      return claim(turn, phase);
    case "resuming":
      return [resumeEpoch(turn, phase)];
    case "taking up":
      return [markTakenUp(turn, phase)];
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
    case "rebasing":
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

function decide(turn: Turn, { seen }: PhaseAt<"deciding">): Step[] {
  const facts = gatherFacts(turn, seen);
  const plan = turn.rules.decide(facts);
  if (plan.act === "refuse") {
    return [move(turn, `row ${plan.row}: is about to refuse`, { phase: { at: "refusing", seen, row: plan.row } })];
  }
  if (plan.act === "resume") return prepareResume(turn, seen);
  const wanted = readClaim(plan, facts);
  const early = turn.rules.stepError === "restore-first";
  const restoredEarly =
    early && wanted.parent !== null ? restoreContent(filesOf(turn.state, wanted.parent), wanted.parentTxid) : null;
  const label = `row ${plan.row}: will claim with parent ${wanted.parent ?? "none"}, content ${wanted.content}`;
  return [move(turn, label, { phase: { at: "claiming", seen, claim: wanted, restoredEarly } })];
}

/** The mark names the next run before head does. */
function prepareResume(turn: Turn, seen: Head | null): Step[] {
  const { volume } = turn.machine;
  if (seen === null || volume.mark === null) throw new Error("decideBoot resumed without a head or a mark: see row 3");
  const number = Number.parseInt(seen.run, 10) + 1;
  if (number > turn.rules.bounds.resumes) return [];
  const run = `${number}${machineName(turn.index)}`;
  const { identity, body } = turn.machine;
  const cleanTxid = keepClean(turn, volume.mark);
  const mark = { ...volume.mark, machine: identity, by: body, runs: [seen.run, run], cleanTxid };
  const phase = { at: "resuming", seen, run } as const;
  return [move(turn, `row 3: will resume epoch ${seen.epoch}`, { volume: { ...volume, mark }, phase })];
}

function resumeEpoch(turn: Turn, { seen, run }: PhaseAt<"resuming">): Step {
  const { state, index, machine } = turn;
  if (!isSameHead(seen, state.head))
    return move(turn, "head moved while its epoch was taken up, starts over", { phase: { at: "off" } });
  const machines = forgetOwed(state.machines, index);
  return move(turn, `takes epoch ${seen.epoch} up as run ${run}`, {
    state: { ...state, head: { ...seen, machine: machine.identity, by: machine.body, run }, machines },
    phase: { at: "taking up", epoch: seen.epoch, run },
  });
}

function markTakenUp(turn: Turn, { epoch, run }: PhaseAt<"taking up">): Step {
  const { mark } = turn.machine.volume;
  if (mark === null) throw new Error("a resume lost its mark");
  const taken = { ...mark, runs: [run], thisBoot: true, cleanTxid: keepClean(turn, mark) };
  return move(turn, `resumes epoch ${epoch}`, startLitestream(turn, taken, { epoch, run }));
}

/** A mark that keeps its clean stop would let a copy of this disk resume too. */
function keepClean({ rules }: Turn, { cleanTxid }: Mark): number | null {
  return rules.stepError === "keep-clean" ? cleanTxid : null;
}

/** A take-over may lose what other volumes owed at `commit` and `disk`. */
function forgetOwed(machines: readonly Machine[], index: number): readonly Machine[] {
  return machines.map((other, at) =>
    at === index || other.volume.owed === "" ? other : { ...other, volume: { ...other.volume, owed: "" } },
  );
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
  if (!isSameHead(phase.seen, state.head)) {
    const lost = phase.seen?.epoch !== state.head?.epoch;
    const label = lost ? "loses the claim, exits" : "head moved within its epoch, starts over";
    return [move(turn, label, { phase: { at: lost ? "lost" : "off" } })];
  }
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

/** The world after a won claim. */
function swapHead(turn: Turn, { seen, claim: wanted }: PhaseAt<"claiming">): State {
  const { state, index, machine } = turn;
  const lastLiving =
    seen === null ? "" : seen.state === "opening" ? seen.mustHold : restoreContent(filesOf(state, seen.epoch));
  const asked = wanted.row === 12 ? giveUp(turn, wanted) : null;
  const head: Head = {
    epoch: state.epochs.length,
    state: "opening",
    machine: machine.identity,
    by: machine.body,
    run: firstRun,
    parent: wanted.parent,
    parentRun: wanted.parentRun,
    parentTxid: wanted.parentTxid,
    replaces: wanted.replaces,
    mustHold: asked?.content ?? lastLiving ?? "",
    dropped: asked?.dropped ?? seen?.dropped ?? "",
  };
  const dropped = asked?.dropped ?? "";
  const machines = forgetOwed(state.machines, index).map((other) => forgetDropped(other, dropped));
  const replicated = removeCommits(state.replicated, dropped);
  return { ...state, head, machines, replicated, epochs: [...state.epochs, []] };
}

/** What somebody asked for, and gave up for it: of the commits that there were by then, no later ones. */
function giveUp({ state, machine }: Turn, { parent, parentTxid }: Claim): { content: Content; dropped: string } {
  const content = restoreContent(filesOf(state, parent ?? -1), parentTxid) ?? "";
  const known = state.histories.slice(0, machine.volume.order?.commits ?? 0).map((history) => history.at(-1) ?? "");
  return { content, dropped: removeCommits(known.join(""), content) };
}

function forgetDropped(machine: Machine, dropped: string): Machine {
  const { volume } = machine;
  const owed = removeCommits(volume.owed, dropped);
  return owed === volume.owed ? machine : { ...machine, volume: { ...volume, owed } };
}

function rereadAfterLostAnswer(turn: Turn, phase: PhaseAt<"rereading" | "restoring">): Step {
  if (turn.state.head?.epoch !== phase.epoch) return move(turn, "re-reads head: another's", { phase: { at: "lost" } });
  return move(turn, "re-reads head: its own", { phase: { ...phase, at: "restoring" } });
}

function startApp(turn: Turn, { epoch, run, uploaded }: PhaseAt<"starting">): Step {
  if (!isHead(turn.state.head, { epoch, run })) return move(turn, "re-reads head: fenced", { phase: { at: "fenced" } });
  const nothing = { detached: false, waiting: "", syncTarget: null, synced: "", checked: "", promoting: false };
  const { volume } = turn.machine;
  return move(turn, "re-reads head, serves", {
    volume: { ...volume, database: volume.database ?? "" },
    phase: { at: "serving", epoch, run, uploaded, ...nothing },
  });
}
