import { type Content, restoreContent } from "./replica.ts";
import { addCommits, holdsAll, isHead, removeCommits, type Serving, type Step } from "./state.ts";
import { type Level, move, type Turn } from "./turn.ts";

/** What a serving machine does next: writes, "sync, then check", opening to living, fence, clean stop. */
export function appSteps(turn: Turn): Step[] {
  const { phase } = turn.machine;
  if (phase.at !== "serving") return [];
  return [...writeSteps(turn, phase), ...syncSteps(turn, phase), ...headSteps(turn, phase), ...stopSteps(turn, phase)];
}

function writeSteps(turn: Turn, serving: Serving): Step[] {
  const { bounds } = turn.rules;
  if (turn.state.histories.length >= bounds.commits) return [];
  // Without its volume a machine cannot fsync.
  const levels = serving.detached ? bounds.levels.filter((level) => level === "commit") : bounds.levels;
  return levels.map((level) => write(turn, serving, level));
}

/** At `commit` and `disk` the answer leaves with the write; at `bucket` the write waits. */
function write(turn: Turn, serving: Serving, level: Level): Step {
  const { state } = turn;
  const { volume } = turn.machine;
  const commit = String.fromCharCode("a".charCodeAt(0) + state.histories.length);
  const database = `${volume.database ?? ""}${commit}`;
  const owes = level !== "bucket" && isHead(state.head, serving) && !serving.detached;
  return move(turn, `writes ${commit} at ${level}`, {
    state: { ...state, histories: [...state.histories, database] },
    volume: {
      ...volume,
      database,
      fsynced: level === "commit" ? volume.fsynced : database.length,
      owed: owes ? addCommits(volume.owed, commit) : volume.owed,
    },
    phase: level === "bucket" ? { ...serving, waiting: addCommits(serving.waiting, commit) } : serving,
  });
}

function syncSteps(turn: Turn, serving: Serving): Step[] {
  const { state, machine } = turn;
  const length = (machine.volume.database ?? "").length;
  if (serving.syncTarget === null) {
    const opening = isHead(state.head, serving) && state.head.state === "opening";
    if (serving.waiting === "" && (!opening || serving.promoting)) return [];
    return [move(turn, "sends a sync", { phase: { ...serving, syncTarget: length } })];
  }
  const uploaded = uploadedContent(turn, serving);
  // Pessimistic: Litestream is taken to trust its position, not the content that it has uploaded.
  const covered = uploaded !== null && uploaded.length >= serving.syncTarget;
  return covered ? [answerSync(turn, serving)] : [];
}

/** A sync covers what was committed before it was sent, and nothing that came later. */
function answerSync(turn: Turn, serving: Serving): Step {
  const { state, rules } = turn;
  const target = (turn.machine.volume.database ?? "").slice(0, serving.syncTarget ?? 0);
  const covers = (commit: string): boolean => rules.stepError === "sync-in-flight" || holdsAll(target, commit);
  const done = serving.waiting.split("").filter(covers).join("");
  const waiting = removeCommits(serving.waiting, done);
  const promoting = serving.promoting || (isHead(state.head, serving) && state.head.state === "opening");
  const answered = { ...serving, waiting, promoting, syncTarget: null };
  if (rules.stepError === "no-head-check") {
    const replicated = addCommits(state.replicated, done);
    return move(turn, `sync answers 200: acknowledges "${done}"`, { state: { ...state, replicated }, phase: answered });
  }
  return move(turn, "sync answers 200", { phase: { ...answered, synced: addCommits(serving.synced, done) } });
}

function headSteps(turn: Turn, serving: Serving): Step[] {
  const { state } = turn;
  const ours = isHead(state.head, serving) ? state.head : null;
  const steps: Step[] = [];
  if (serving.promoting && ours !== null) {
    const living = { ...ours, state: "living" } as const;
    steps.push(
      move(turn, "makes head living", { state: { ...state, head: living }, phase: { ...serving, promoting: false } }),
    );
  }
  if (serving.synced !== "" && ours?.state === "living") {
    const checked = addCommits(serving.checked, serving.synced);
    steps.push(
      move(turn, `reads head, ours and living: "${checked}" checked`, { phase: { ...serving, checked, synced: "" } }),
    );
  }
  if (serving.checked !== "" && !serving.promoting) {
    // An answer that was on its way for long: it is of a commit that somebody has given up since.
    const replicated = addCommits(state.replicated, removeCommits(serving.checked, state.head?.dropped ?? ""));
    const label = `acknowledges "${serving.checked}" at bucket`;
    steps.push(move(turn, label, { state: { ...state, replicated }, phase: { ...serving, checked: "" } }));
  }
  if (ours === null)
    steps.push(move(turn, "reads head: fenced", { phase: { at: serving.detached ? "gone" : "fenced" } }));
  return steps;
}

function stopSteps(turn: Turn, serving: Serving): Step[] {
  const { volume } = turn.machine;
  const idle = serving.syncTarget === null && serving.waiting + serving.synced + serving.checked === "";
  if (!turn.rules.bounds.hazards.includes("clean stop") || serving.detached || !idle || volume.mark === null) return [];
  const { database } = volume;
  if (database === null || uploadedContent(turn, serving) !== database) return [];
  const mark = { ...volume.mark, cleanTxid: serving.uploaded };
  return [move(turn, "stops cleanly", { volume: { ...volume, mark, fsynced: database.length }, phase: { at: "off" } })];
}

/** What the uploaded files give; null while a staged one is missing in the bucket. */
function uploadedContent({ machine }: Turn, { uploaded }: Serving): Content | null {
  const { staged } = machine.volume;
  return uploaded > 0 && uploaded === staged.length ? (restoreContent(staged) ?? "") : null;
}
