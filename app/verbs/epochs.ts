import { type CommandLine, verbExitCodes } from "../cli/command-line.ts";
import { flag, readFlags } from "../cli/flags.ts";
import { readMachineConfig } from "../cli/machine-config.ts";
import { renderTable } from "../cli/render-table.ts";
import { BucketError } from "../replica/bucket-error.ts";
import { type Bucket, openBucket } from "../replica/bucket.ts";
import { readChain } from "../replica/chain.ts";
import { fetchHead, type Head } from "../replica/head.ts";
import type { BucketConfig } from "../replica/s3-client.ts";
import { findNewest, findOldest, type Life, listLives, type RestorePoint } from "../replica/timeline.ts";

type EpochsOptions = Readonly<{ json: boolean }>;

/** One epoch as the bucket has it now. */
export type EpochView = {
  epoch: string;
  /** The epoch that it came from, and the TXID where somebody asked for an earlier state. */
  parent: { epoch: string; txid?: string | undefined } | null;
  /** Of the epoch that head names. */
  state: Head["state"] | null;
  /** Null when nothing of it can be restored. */
  oldest: RestorePoint | null;
  newest: RestorePoint | null;
  /** At how many TXIDs a file ends. */
  points: number;
  /** The first file that is missing. Null when none is. */
  missing: string | null;
};

const flags = { json: flag("everything as one JSON object: bucket, at, epochs") } as const;

export const epochsCommand: CommandLine<EpochsOptions> = {
  name: "epochs",
  about: "Draws what the bucket can give back: each life of the database, where it came from, and from when to when.",
  onLaptop:
    "It asks the bucket alone, with a key that reads it: that of your login, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY. Where LIFEBOAT_DATA_DIR is set, as by hand, it takes the key of this computer's app.",
  flags,
  examples: ["", "--json"],
  exitCodes: verbExitCodes,
  readArguments: (words) => Object.freeze({ json: readFlags(words, flags).json }),
};

/** Prints them on the machine that this computer is. */
export async function showEpochsHere(options: EpochsOptions): Promise<void> {
  await showEpochs(options, readMachineConfig().machine.bucket);
}

/** Prints the epochs of a bucket, wherever there is a key that reads it. Throws BucketError. */
export async function showEpochs({ json }: EpochsOptions, config: BucketConfig): Promise<void> {
  const bucket = openBucket(config);
  const epochs = await fetchEpochs(bucket);
  const at = new Date().toISOString();
  process.stdout.write(json ? `${JSON.stringify({ bucket: bucket.name, at, epochs })}\n` : `${renderEpochs(epochs)}\n`);
}

/** The epochs in a bucket, the oldest first. Throws BucketError. */
export async function fetchEpochs(bucket: Bucket): Promise<EpochView[]> {
  // Before the listing: an epoch that head names is then in it, or has no file yet.
  const head = await fetchHeadOrNull(bucket);
  const lives = await listLives(bucket);
  const views: EpochView[] = [];
  // One after the other: a bucket may hold hundreds of lives.
  for (const life of lives) views.push(await describeLife(bucket, life, head));
  if (head !== null && lives.every(({ epoch }) => epoch !== head.epoch)) views.push(describeUnborn(head));
  return views;
}

async function describeLife(bucket: Bucket, life: Life, head: Head | null): Promise<EpochView> {
  const { epoch, keys, ends, note } = life;
  const [oldest, newest] = await Promise.all([findOldest(bucket, life), findNewest(bucket, life)]);
  const chain = readChain(keys);
  const isHead = head?.epoch === epoch;
  return {
    epoch,
    parent: note?.parent ?? (isHead ? head.parent : null),
    state: isHead ? head.state : null,
    oldest,
    newest,
    points: ends.length,
    missing: "missing" in chain ? chain.missing : null,
  };
}

/** Head was won, and nothing has been uploaded. */
function describeUnborn({ epoch, parent, state }: Head): EpochView {
  return { epoch, parent, state, oldest: null, newest: null, points: 0, missing: null };
}

async function fetchHeadOrNull(bucket: Bucket): Promise<Head | null> {
  try {
    return (await fetchHead(bucket)).head;
  } catch (error) {
    if (error instanceof BucketError && error.kind === "missing") return null;
    throw error;
  }
}

const barWidth = 24;

/** Renders epochs as a table with a bar of time, and what may be typed to go back. */
export function renderEpochs(epochs: readonly EpochView[]): string {
  if (epochs.length === 0) return "the bucket holds no epoch: no machine has served from it yet";
  const span = findSpan(epochs);
  const rows = epochs.map((view) => [
    view.epoch,
    renderParent(view),
    renderTime(view.oldest),
    renderTime(view.newest),
    renderBar(view, span),
    view.newest === null ? "" : trimTxid(view.newest.txid),
    renderState(view),
  ]);
  const heads = ["EPOCH", "FROM", "OLDEST STATE (UTC)", "NEWEST STATE (UTC)", "WHEN", "TXID", "WHAT IT IS"];
  const next = "to go back: on the machine lifeboat restore --at TIME, elsewhere npm run restore -- --at TIME";
  return [renderTable([heads, ...rows]), "", next].join("\n");
}

type Span = { fromMs: number; toMs: number };

function findSpan(epochs: readonly EpochView[]): Span {
  const times = epochs.flatMap(({ oldest, newest }) => [oldest, newest]).flatMap((point) => point?.at.getTime() ?? []);
  return { fromMs: Math.min(...times), toMs: Math.max(...times) };
}

/** Where between the oldest and the newest state of all it has its own. */
function renderBar({ oldest, newest }: EpochView, { fromMs, toMs }: Span): string {
  if (oldest === null || newest === null) return "";
  const place = (at: Date) => Math.round(((at.getTime() - fromMs) / Math.max(1, toMs - fromMs)) * (barWidth - 1));
  const [from, to] = [place(oldest.at), place(newest.at)];
  return `${" ".repeat(from)}${"=".repeat(to - from + 1)}`;
}

function renderParent({ parent }: EpochView): string {
  if (parent === null) return "nothing";
  return parent.txid === undefined ? parent.epoch : `${parent.epoch} at ${trimTxid(parent.txid)}`;
}

function renderTime(point: RestorePoint | null): string {
  return point === null ? "" : point.at.toISOString().slice(0, 19).replace("T", " ");
}

function renderState({ state, missing, newest, points }: EpochView): string {
  const words = [
    state === "living" ? "it serves" : null,
    state === "opening" ? "it opens: its base is still on its way" : null,
    missing === null ? null : `a gap: ${missing}`,
    newest === null && missing === null ? "it never got a base" : null,
    newest === null ? null : points === 1 ? "1 state" : `${points} states`,
  ];
  return words.filter((word) => word !== null).join(", ");
}

/** As people type it. */
function trimTxid(txid: string): string {
  return txid.replace(/^0+(?=.)/, "");
}
