import { Type, type Static } from "typebox";

import { BucketError } from "./bucket-error.ts";
import type { Bucket } from "./bucket.ts";
import {
  epochPrefix,
  formatTxid,
  listFiles,
  ltxHeaderBytes,
  type LtxFile,
  planRestore,
  readLtxHeader,
} from "./chain.ts";
import { parseJson } from "./parse-json.ts";

const NoteSchema = Type.Object({
  parent: Type.Union([Type.Object({ epoch: Type.String(), txid: Type.Optional(Type.String()) }), Type.Null()]),
});

/** What epoch.json says of where the epoch came from. */
type Note = Static<typeof NoteSchema>;

/** One epoch in the bucket: the life of a machine, or a state that somebody asked for. `ends` are the TXIDs at which a file ends, in order. */
export type Life = { epoch: string; keys: readonly string[]; ends: readonly string[]; note: Note | null };

/** A state that the bucket can give back, and when Litestream saw it. The commits of up to a second before are in it. */
export type RestorePoint = { epoch: string; txid: string; at: Date };

/** Lists the epochs that the bucket holds, the oldest first. An epoch without any file is one that never got a base. Throws BucketError. */
export async function listLives(bucket: Bucket): Promise<Life[]> {
  const keysOf = new Map<string, string[]>();
  for await (const key of bucket.list("epochs/")) {
    const epoch = key.split("/", 2)[1] ?? "";
    keysOf.set(epoch, [...(keysOf.get(epoch) ?? []), key]);
  }
  // A claim counts on from the epoch that it replaces.
  const epochs = [...keysOf].toSorted(([one], [other]) => Number.parseInt(one, 10) - Number.parseInt(other, 10));
  return Promise.all(
    epochs.map(async ([epoch, keys]) => {
      const ends = [...new Set(listFiles(keys).map(({ max }) => formatTxid(max)))].toSorted();
      return { epoch, keys, ends, note: await fetchNote(bucket, epoch, keys) };
    }),
  );
}

async function fetchNote(bucket: Bucket, epoch: string, keys: readonly string[]): Promise<Note | null> {
  const key = `${epochPrefix(epoch)}epoch.json`;
  if (!keys.includes(key)) return null;
  return parseJson(NoteSchema, (await bucket.get(key)).text, key);
}

/** The newest state of a life that can be restored. Null when there is none. Throws BucketError. */
export function findNewest(bucket: Bucket, life: Life): Promise<RestorePoint | null> {
  return findRestorable(bucket, life, life.ends.toReversed());
}

/** The oldest state of a life that can be restored. Null when there is none. Throws BucketError. */
export function findOldest(bucket: Bucket, life: Life): Promise<RestorePoint | null> {
  return findRestorable(bucket, life, life.ends);
}

/** The state of this TXID. Null when no file ends there, or one before it is missing. Throws BucketError. */
export function findPoint(bucket: Bucket, life: Life, txid: string): Promise<RestorePoint | null> {
  return findRestorable(bucket, life, life.ends.includes(txid) ? [txid] : []);
}

/**
 * The state that was served at a moment: the newest one until then of the life that had begun by then. Null when the
 * bucket does not reach back so far. Throws BucketError.
 */
export async function findPointAt(bucket: Bucket, lives: readonly Life[], moment: Date): Promise<RestorePoint | null> {
  for (const life of lives.toReversed()) {
    const oldest = await findOldest(bucket, life);
    if (oldest === null || oldest.at > moment) continue;
    const { ends } = life;
    // Times rise with TXIDs.
    let [low, high] = [ends.indexOf(oldest.txid), ends.length];
    while (high - low > 1) {
      const middle = Math.floor((low + high) / 2);
      const at = await fetchTime(bucket, life, ends[middle] ?? "");
      if (at <= moment) low = middle;
      else high = middle;
    }
    return findRestorable(bucket, life, ends.slice(0, low + 1).toReversed());
  }
  return null;
}

/**
 * The state that served before somebody asked for an earlier one: the end of the life before that request. Null when
 * nobody has asked for one, or its files are gone. Throws BucketError.
 */
export async function findStateBefore(
  bucket: Bucket,
  lives: readonly Life[],
  current: string,
): Promise<RestorePoint | null> {
  let index = lives.findIndex(({ epoch }) => epoch === current);
  // Machines that died since then went on from it.
  while (index >= 0 && lives[index]?.note?.parent?.txid === undefined) {
    const parent = lives[index]?.note?.parent?.epoch;
    index = lives.findIndex(({ epoch }) => epoch === parent);
  }
  for (const life of lives.slice(0, Math.max(0, index)).toReversed()) {
    const point = await findNewest(bucket, life);
    if (point !== null) return point;
  }
  return null;
}

async function findRestorable(bucket: Bucket, life: Life, ends: readonly string[]): Promise<RestorePoint | null> {
  const txid = ends.find((end) => planRestore(life.keys, end) !== null);
  return txid === undefined ? null : { epoch: life.epoch, txid, at: await fetchTime(bucket, life, txid) };
}

/** When Litestream saw the state at which a file ends. */
async function fetchTime(bucket: Bucket, { epoch, keys }: Life, txid: string): Promise<Date> {
  const files = listFiles(keys).filter(({ max }) => formatTxid(max) === txid);
  // Files of high levels live longest.
  for (const { key } of files.toSorted((one, other) => other.level - one.level)) {
    const header = await fetchHeader(bucket, key);
    if (header !== null) return header.at;
  }
  throw new Error(
    `no file of epoch ${epoch} tells when TXID ${txid} was: compaction took it away, or it is damaged; try again`,
  );
}

async function fetchHeader(bucket: Bucket, key: LtxFile["key"]): Promise<ReturnType<typeof readLtxHeader>> {
  try {
    return readLtxHeader(await bucket.getStart(key, ltxHeaderBytes));
  } catch (error) {
    if (error instanceof BucketError && error.kind === "missing") return null;
    throw error;
  }
}
