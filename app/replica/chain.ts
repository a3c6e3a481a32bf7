import type { Bucket } from "./bucket.ts";

/**
 * What can be restored from one epoch's LTX files. `missing` names the first missing file. `newestTxid` is the end of
 * the files, with or without a gap. TXIDs are Litestream's 16 hex digits.
 */
export type Chain =
  | { state: "empty" }
  | { state: "no-base" | "broken"; missing: string; newestTxid: string }
  | { state: "whole"; newestTxid: string; files: number };

/** One of Litestream's files: what changed from TXID `min` to `max`, with its key in the bucket. */
export type LtxFile = { key: string; level: number; min: bigint; max: bigint };

const snapshotLevel = 9;
const ltxKey = /\/([0-9a-f]{4})\/([0-9a-f]{16})-([0-9a-f]{16})\.ltx$/;

/** The LTX files among these keys. */
export function listFiles(keys: readonly string[]): LtxFile[] {
  return keys.flatMap((key) => parseKey(key) ?? []);
}

/** The prefix of an epoch's Litestream files. */
export function epochPrefix(epoch: string): string {
  return `epochs/${epoch}/`;
}

/**
 * Lists the LTX files of an epoch and judges them: the newest state, or that of `txid` as if nothing had come after it.
 * Throws BucketError.
 */
export async function fetchChain(bucket: Bucket, epoch: string, txid?: string): Promise<Chain> {
  return readChain(await Array.fromAsync(bucket.list(epochPrefix(epoch))), txid);
}

/**
 * The newest TXID at the end of a file that Litestream keeps as long as its snapshots, so that exactly this state can
 * be restored. Null when there is none. Throws BucketError.
 */
export async function fetchKeptTxid(bucket: Bucket, epoch: string): Promise<string | null> {
  const keys = await Array.fromAsync(bucket.list(epochPrefix(epoch)));
  const furthest = findFurthest(listFiles(keys).filter(({ level }) => level > 0));
  return furthest === null ? null : formatTxid(furthest.max);
}

/**
 * Judges a listing the way Litestream 0.5.17 plans a restore (CalcRestorePlan in its replica.go): from the newest
 * snapshot, or from TXID 1, always with the file that reaches furthest. Files beyond a gap mean that something in
 * between is lost.
 */
export function readChain(keys: readonly string[], txid?: string): Chain {
  return judge(keys, txid).chain;
}

/**
 * The files that a restore of the newest state reads, or of the state of `txid`, in their order. Null when the chain is
 * not whole, or when no file ends at `txid`.
 */
export function planRestore(keys: readonly string[], txid?: string): readonly LtxFile[] | null {
  const { chain, used } = judge(keys, txid);
  if (chain.state !== "whole") return null;
  return txid === undefined || chain.newestTxid === txid ? used : null;
}

function judge(keys: readonly string[], txid?: string): { chain: Chain; used: readonly LtxFile[] } {
  const all = listFiles(keys);
  const files = txid === undefined ? all : all.filter(({ max }) => formatTxid(max) <= txid);
  if (files.length === 0) return { chain: { state: "empty" }, used: [] };
  const snapshot = findFurthest(files.filter((file) => file.level === snapshotLevel));
  const increments = files
    .filter((file) => file.level !== snapshotLevel)
    .toSorted((a, b) => (a.min < b.min ? -1 : a.min > b.min ? 1 : 0));
  const { reached, used, beyond } = walk(increments, snapshot);
  const newestTxid = formatTxid(findFurthest(files)?.max ?? 0n);
  if (reached === 0n) {
    const missing = "neither a snapshot nor the file of TXID 1 is there";
    return { chain: { state: "no-base", missing, newestTxid }, used };
  }
  if (beyond !== null) {
    const missing = `nothing continues TXID ${formatTxid(reached)}, the next file starts at ${formatTxid(beyond)}`;
    return { chain: { state: "broken", missing, newestTxid }, used };
  }
  return { chain: { state: "whole", newestTxid: formatTxid(reached), files: used.length }, used };
}

/**
 * Throws unless the epoch can be restored up to this TXID. A Litestream with another epoch's configuration also answers
 * a sync, so only files under our prefix count as a base.
 */
export async function assertBase(bucket: Bucket, epoch: string, txid: string): Promise<void> {
  const chain = await fetchChain(bucket, epoch);
  if (chain.state === "whole" && chain.newestTxid >= txid) return;
  throw new Error(`Litestream answered for TXID ${txid}, but the replica of ${epoch} is ${chain.state}`);
}

/** The newest TXID of any file of the chain. Null when there is none. */
export function newestOf(chain: Chain): string | null {
  return chain.state === "empty" ? null : chain.newestTxid;
}

type Walk = { reached: bigint; used: LtxFile[]; beyond: bigint | null };

function walk(increments: readonly LtxFile[], snapshot: LtxFile | null): Walk {
  const start = snapshot?.max ?? 0n;
  let reached = start;
  const used = snapshot === null ? [] : [snapshot];
  let candidate: LtxFile | null = null;
  const take = () => {
    if (candidate === null || candidate.max <= reached) return;
    used.push(candidate);
    reached = candidate.max;
  };
  for (const file of increments) {
    if (file.min > reached + 1n) take();
    if (file.min > reached + 1n) return { reached, used, beyond: file.min };
    if (file.max > (candidate?.max ?? start)) candidate = file;
  }
  take();
  return { reached, used, beyond: null };
}

function findFurthest(files: readonly LtxFile[]): LtxFile | null {
  return files.reduce<LtxFile | null>((furthest, file) => (file.max > (furthest?.max ?? 0n) ? file : furthest), null);
}

function parseKey(key: string): LtxFile | null {
  const [, level, min, max] = ltxKey.exec(key) ?? [];
  if (level === undefined || min === undefined || max === undefined) return null;
  return { key, level: Number.parseInt(level, 16), min: BigInt(`0x${min}`), max: BigInt(`0x${max}`) };
}

/** As Litestream writes it: 16 hex digits. */
export function formatTxid(txid: bigint): string {
  return txid.toString(16).padStart(16, "0");
}

/** Size of the header of an LTX file. */
export const ltxHeaderBytes = 100;

/** What an LTX file says of itself: the size of the database once it has been applied, and when Litestream saw it. */
export type LtxHeader = { databaseBytes: number; at: Date };

/**
 * Reads the header of an LTX file. Null when the bytes are not a known one. Source: Header.MarshalBinary and
 * UnmarshalBinary in ltx.go of github.com/superfly/ltx. After magic and flags come page size and number of pages, then
 * both TXIDs, then milliseconds since 1970; big-endian, never compressed. A compacted file has the time of the last
 * file in it (compactor.go).
 */
export function readLtxHeader(header: Uint8Array): LtxHeader | null {
  if (header.length < ltxHeaderBytes) return null;
  const view = new DataView(header.buffer, header.byteOffset, ltxHeaderBytes);
  if (view.getUint32(0) !== magic) return null;
  const [pageBytes, pages] = [view.getUint32(8), view.getUint32(12)];
  const isPageSize = pageBytes >= 512 && pageBytes <= 65_536 && (pageBytes & (pageBytes - 1)) === 0;
  if (!isPageSize || pages === 0) return null;
  return { databaseBytes: pageBytes * pages, at: new Date(Number(view.getBigInt64(32))) };
}

/** "LTX1" */
const magic = 0x4c_54_58_31;
