import { closeSync, openSync, readSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

import { BootRefused } from "./boot-refused.ts";
import type { Bucket } from "./bucket.ts";
import { fetchChain, type Chain } from "./chain.ts";
import type { BootFacts } from "./decide-boot.ts";
import { fetchHead, headKey, type StoredHead } from "./head.ts";
import type { Machine } from "./machine.ts";
import { readMark, type Mark } from "./mark.ts";
import { ShapeError } from "./parse-json.ts";
import { fetchSentinel, sentinelKey } from "./sentinel.ts";

export type Survey = { facts: BootFacts; seen: StoredHead | null };

const chainListings = 3;
const relistDelayMs = 300;

/** Gathers the facts for decideBoot from the store and the volume. Throws BootRefused (row 2) or BucketError. */
export async function surveyBoot(bucket: Bucket, machine: Machine): Promise<Survey> {
  const top = await bucket.listTop();
  await assertSentinel(bucket, machine, top);
  const seen = top.includes(headKey) ? await fetchHead(bucket) : null;
  const chain = await surveyChain(bucket, seen?.head.epoch, seen?.head.state === "living");
  // Only a head without a base may fall back to its parent.
  const fallsBack = seen?.head.state === "opening" && (chain.state === "empty" || chain.state === "no-base");
  const parentChain = await surveyChain(bucket, fallsBack ? seen.head.parent?.epoch : undefined, false);
  const facts: BootFacts = {
    machine: machine.machineId,
    bootId: machine.bootId,
    head: seen?.head ?? null,
    epochsExist: top.includes("epochs/"),
    chain,
    parentChain,
    database: isDatabase(machine.files.database) ? "present" : "absent",
    mark: readMarkOrRefuse(machine),
  };
  return { facts, seen };
}

/**
 * True when the file is there and carries SQLite's header. An empty file is none: Litestream would make it a database
 * and upload that.
 */
export function isDatabase(path: string): boolean {
  const magic = "SQLite format 3\0";
  const header = Buffer.alloc(magic.length);
  let file: number;
  try {
    file = openSync(path, "r");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return false;
    throw error;
  }
  try {
    return readSync(file, header, 0, header.length, 0) === header.length && header.toString("latin1") === magic;
  } finally {
    closeSync(file);
  }
}

/**
 * The positive control: right place, right key, an answer from a real store. Only after it may "there is nothing" be
 * believed.
 */
async function assertSentinel(bucket: Bucket, machine: Machine, top: readonly string[]): Promise<void> {
  if (!top.includes(sentinelKey)) {
    throw refuseBucket(
      `bucket ${bucket.name} has no ${sentinelKey}: it was never made for Lifeboat, or it is the wrong one`,
      "check the bucket's name and endpoint",
    );
  }
  const { bucketId } = await fetchSentinel(bucket);
  if (bucketId !== machine.bucketId) {
    throw refuseBucket(
      `bucket ${bucket.name} is ${bucketId}, this machine belongs to ${machine.bucketId}`,
      "check the bucket's name and LIFEBOAT_BUCKET_ID",
    );
  }
}

/** Without the mark nobody knows whose database lies there. */
function readMarkOrRefuse({ files }: Machine): Mark | null {
  try {
    return readMark(files.mark);
  } catch (error) {
    if (!(error instanceof ShapeError)) throw error;
    const next = `move ${files.dataDirectory} away to go on from the bucket alone; what only this disk had is then in there`;
    throw new BootRefused({ act: "refuse", row: 3, cause: error.message, next });
  }
}

function refuseBucket(cause: string, next: string): BootRefused {
  return new BootRefused({ act: "refuse", row: 2, cause, next });
}

/** A listing taken during a compaction can look broken; a base that must be there is looked for three times. */
async function surveyChain(bucket: Bucket, epoch: string | undefined, mustBeWhole: boolean): Promise<Chain> {
  if (epoch === undefined) return { state: "empty" };
  for (let listing = 1; ; listing++) {
    const chain = await fetchChain(bucket, epoch);
    const suspicious = chain.state === "broken" || (mustBeWhole && chain.state !== "whole");
    if (!suspicious || listing === chainListings) return chain;
    await sleep(relistDelayMs);
  }
}
