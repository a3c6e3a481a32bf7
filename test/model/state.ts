import type { Content, Files } from "./replica.ts";

// One claim makes one epoch with one nonce, so an epoch's number stands for its nonce too. Machines are numbers as
// well. "Ghost" fields exist only to state invariants; no step may depend on them.

export type Head = {
  epoch: number;
  state: "opening" | "living";
  /** The name of the machine that claimed it or resumed it last. */
  machine: number;
  /** Ghost: the server that did so. */
  by: number;
  /** The run that resumed the epoch last. */
  run: string;
  parent: number | null;
  parentRun: string | null;
  /** The state of the parent that somebody asked for; null for its newest. */
  parentTxid: number | null;
  replaces: readonly number[];
  /** Ghost: what the last living epoch held when it was replaced, or what somebody asked for instead. */
  mustHold: Content;
  /** Ghost: the commits that the last asked-for state gave up. */
  dropped: string;
};

export type Mark = {
  epoch: number;
  machine: number;
  /** Ghost: the server that wrote it. */
  by: number;
  runs: readonly string[];
  thisBoot: boolean;
  cleanTxid: number | null;
};

/** An earlier state that the next boot shall restore; written after a clean stop of the run of `of`. */
export type Order = {
  of: number;
  run: string;
  stoppedAt: number;
  epoch: number;
  txid: number;
  /** A database that was brought here, to be served instead. */
  incoming: Content | null;
  /** Ghost: how many commits there were when it was asked for. */
  commits: number;
};

export type Volume = {
  /** As the operating system sees it; `fsynced` says how many commits survive a power loss. */
  database: Content | null;
  fsynced: number;
  mark: Mark | null;
  /** Litestream's local files. */
  staged: Files;
  order: Order | null;
  /** Ghost: writes acknowledged here at `commit` or `disk` that this volume still owes. */
  owed: string;
};

export type Claim = {
  row: number;
  parent: number | null;
  parentRun: string | null;
  parentTxid: number | null;
  content: "fresh" | "volume" | "restore" | "compare" | "import";
  replaces: readonly number[];
};

export type Serving = {
  at: "serving";
  epoch: number;
  run: string;
  uploaded: number;
  /** Its volume was moved to another machine; it lives on in its page cache. */
  detached: boolean;
  /** `bucket` writes on their way: committed, in the sync that runs (up to a length), synced, head checked. */
  waiting: string;
  syncTarget: number | null;
  synced: string;
  checked: string;
  /** The base is up, head may become living. */
  promoting: boolean;
};

/** Where a machine is: the steps of boot in their order, serving, and the ends. `seen` is head as this boot read it. */
type Phase =
  | { at: "new" | "off" | "lost" | "fenced" | "gone" }
  | { at: "deciding"; seen: Head | null }
  | { at: "refusing"; seen: Head | null; row: number }
  | { at: "resuming"; seen: Head; run: string }
  | { at: "taking up"; epoch: number; run: string }
  | { at: "claiming"; seen: Head | null; claim: Claim; restoredEarly: Content | null }
  | { at: "rereading" | "restoring"; epoch: number; claim: Claim; restoredEarly: Content | null }
  | { at: "installing"; epoch: number; claim: Claim; restored: Content | null }
  | { at: "marking"; epoch: number }
  | { at: "starting"; epoch: number; run: string; uploaded: number }
  | Serving
  | { at: "rebasing"; epoch: number; serving: Serving; isCleared: boolean }
  | { at: "refused"; row: number; cause: "table" | "no parent" | "diverged" };

export type PhaseAt<At extends Phase["at"]> = Extract<Phase, { at: At }>;

/**
 * `identity` is what it calls itself, `former` what it did before it knew its provider's id: a clone shares the latter.
 * `snapshot` is a copy of its volume that somebody keeps. Ghost: `body` is the server. Two servers
 * that share their identity are one.
 */
export type Machine = {
  identity: number;
  former: number | null;
  body: number;
  volume: Volume;
  snapshot: Volume | null;
  phase: Phase;
};

/** One state of the whole world. A value: steps make a new one and share what did not change. */
export type State = {
  head: Head | null;
  epochs: readonly Files[];
  machines: readonly Machine[];
  faults: number;
  damaged: boolean;
  /** Ghost: for each commit, in order, the database as it was right after it. */
  histories: readonly Content[];
  /** Ghost: writes acknowledged at `bucket`. */
  replicated: string;
};

export type Step = { label: string; next: State };

export function blankVolume(): Volume {
  return { database: null, fsynced: 0, mark: null, staged: [], order: null, owed: "" };
}

export function holdsSomething(volume: Volume): boolean {
  return volume.database !== null || volume.mark !== null;
}

export function newMachine(identity: number, at: "new" | "off"): Machine {
  return { identity, former: null, body: identity, volume: blankVolume(), snapshot: null, phase: { at } };
}

/** What the first run of an epoch is called: the claim's own. */
export const firstRun = "0";

/** Whether head names this epoch, in this run. */
export function isHead(head: Head | null, { epoch, run }: { epoch: number; run: string }): head is Head {
  return head?.epoch === epoch && head.run === run;
}

export function initialState(machines: number): State {
  return {
    head: null,
    epochs: [],
    machines: Array.from({ length: machines }, (_, index) => newMachine(index, "new")),
    faults: 0,
    damaged: false,
    histories: [],
    replicated: "",
  };
}

export function machineName(index: number): string {
  return String.fromCharCode("A".charCodeAt(0) + index);
}

export function withFiles(state: State, epoch: number, files: Files): State {
  return { ...state, epochs: state.epochs.with(epoch, files) };
}

export function filesOf(state: State, epoch: number): Files {
  return state.epochs[epoch] ?? [];
}

/** Head is what it was: a claim's nonce is fresh and stays for its epoch, `state` makes the bodies differ. */
export function isSameHead(one: Head | null, other: Head | null): boolean {
  return one?.epoch === other?.epoch && one?.state === other?.state && one?.run === other?.run;
}

export function holdsAll(content: Content | null, commits: string): boolean {
  return commits.split("").every((commit) => (content ?? "").includes(commit));
}

export function addCommits(commits: string, more: string): string {
  return `${commits}${more}`.split("").toSorted().join("");
}

export function removeCommits(commits: string, gone: string): string {
  const kept = commits.split("").filter((commit) => !gone.includes(commit));
  return kept.join("");
}
