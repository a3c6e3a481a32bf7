import { Refused } from "../cli/command-line.ts";
import type { Bucket } from "../replica/bucket.ts";
import type { Head } from "../replica/head.ts";
import {
  findNewest,
  findOldest,
  findPoint,
  findPointAt,
  findStateBefore,
  type Life,
  listLives,
  type RestorePoint,
} from "../replica/timeline.ts";

/** The state that somebody asks for. */
export type Target =
  | { kind: "moment"; moment: Date }
  | { kind: "point"; epoch: string | null; txid: string | null }
  | { kind: "undo" };

/** Finds that state in the bucket. Throws Refused, with what the bucket has instead, BucketError. */
export async function findTarget(bucket: Bucket, head: Head, target: Target): Promise<RestorePoint> {
  const lives = await listLives(bucket);
  switch (target.kind) {
    case "moment":
      return findMoment(bucket, lives, target.moment);
    case "undo":
      return findBefore(bucket, lives, head);
    case "point":
      return findNamed(bucket, lives, { epoch: target.epoch ?? head.epoch, txid: target.txid });
    default:
      return target satisfies never;
  }
}

async function findMoment(bucket: Bucket, lives: readonly Life[], moment: Date): Promise<RestorePoint> {
  const point = await findPointAt(bucket, lives, moment);
  if (point !== null) return point;
  for (const life of lives) {
    const oldest = await findOldest(bucket, life);
    if (oldest === null) continue;
    throw new Refused(
      `the bucket does not reach back to ${moment.toISOString()}; its oldest state: --at ${oldest.at.toISOString()}`,
    );
  }
  throw new Refused("the bucket holds no state that can be restored; what boot found there: lifeboat logs boot");
}

async function findBefore(bucket: Bucket, lives: readonly Life[], head: Head): Promise<RestorePoint> {
  const point = await findStateBefore(bucket, lives, head.epoch);
  if (point !== null) return point;
  throw new Refused(
    "nobody has restored an earlier state here, or the bucket has lost the one before it; a moment: --at",
  );
}

async function findNamed(
  bucket: Bucket,
  lives: readonly Life[],
  { epoch, txid }: { epoch: string; txid: string | null },
): Promise<RestorePoint> {
  const life = lives.find((one) => one.epoch === epoch);
  if (life === undefined)
    throw new Refused(`the bucket has no epoch ${epoch}; it has ${lives.map((one) => one.epoch).join(", ")}: --epoch`);
  const point = txid === null ? await findNewest(bucket, life) : await findPoint(bucket, life, txid);
  if (point !== null) return point;
  const where = txid === null ? "at no TXID" : `not at ${txid}`;
  throw new Refused(
    `epoch ${epoch} can be restored ${where}: ${renderEnds(life, txid)}; the nearest one before a moment: --at`,
  );
}

/** The ends on both sides of a TXID. */
function renderEnds({ ends }: Life, txid: string | null): string {
  if (ends.length === 0) return "it never got a base";
  const before = ends.findLast((end) => end < (txid ?? ""));
  const after = ends.find((end) => end > (txid ?? ""));
  return `files end at ${[before, after].filter((end) => end !== undefined).join(" and ")}`;
}
