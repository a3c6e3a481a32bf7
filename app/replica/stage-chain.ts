import { existsSync, mkdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";

import { measureSpace } from "../durable-file.ts";
import { BucketError } from "./bucket-error.ts";
import type { Bucket } from "./bucket.ts";
import { epochPrefix, formatTxid, type LtxFile, planRestore } from "./chain.ts";

/** As many as Litestream 0.5.18 fetches at once; 0.5.17 opens them one after the other, each for a round trip. */
const atOnce = 32;
/** Fewer are not worth a second copy on the disk. */
const fewestFiles = 8;
/** Compaction takes files away while they are fetched. Each time what is there by then is planned anew. */
const mostPlans = 5;
const marginBytes = 64 * 1024 ** 2;

/** `txid` is the state to restore instead of the newest. */
export type Staging = { epoch: string; folder: string; stallMs: number; txid?: string | undefined };

/**
 * Fetches the files of a restore side by side into a folder, in the layout of Litestream's own file replica
 * (`ltx/<level>/<first>-<last>.ltx`). Returns the TXID that they reach. Null when there are too few files, or no whole chain,
 * which Litestream then says better. Throws BucketError, and the disk's own errors.
 */
export async function stageChain(bucket: Bucket, staging: Staging): Promise<string | null> {
  const { epoch, txid } = staging;
  for (let plans = 0; plans < mostPlans; plans++) {
    const files = planRestore(await Array.fromAsync(bucket.list(epochPrefix(epoch))), txid);
    const newest = files?.at(-1);
    if (files === null || newest === undefined || files.length < fewestFiles) return null;
    if (await fetchAll(bucket, files, staging)) return formatTxid(newest.max);
  }
  return null;
}

/** False when a file is gone. Ends when no fetch is under way any more. */
async function fetchAll(bucket: Bucket, files: readonly LtxFile[], staging: Staging): Promise<boolean> {
  const waiting = [...files];
  let isGone = false;
  const faults: unknown[] = [];
  const fetchOn = async () => {
    for (let file = waiting.shift(); file !== undefined && !isGone && faults.length === 0; file = waiting.shift()) {
      try {
        await fetchOne(bucket, file, staging);
      } catch (error) {
        if (error instanceof BucketError && error.kind === "missing") isGone = true;
        else faults.push(error);
      }
    }
  };
  await Promise.all(Array.from({ length: atOnce }, fetchOn));
  if (faults.length > 0) throw faults[0];
  return !isGone;
}

async function fetchOne(bucket: Bucket, file: LtxFile, { folder, stallMs }: Staging): Promise<void> {
  const path = pathOf(folder, file);
  if (existsSync(path)) return;
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const { freeBytes } = measureSpace(folder);
  if (freeBytes < marginBytes) throw new Error(`no room left to fetch ${file.key}: ${freeBytes} bytes are free`);
  try {
    await bucket.download(file.key, path, stallMs);
  } catch (error) {
    rmSync(path, { force: true });
    throw error;
  }
}

function pathOf(folder: string, { level, min, max }: LtxFile): string {
  return join(folder, "ltx", String(level), `${formatTxid(min)}-${formatTxid(max)}.ltx`);
}
