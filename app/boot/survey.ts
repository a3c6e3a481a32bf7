import { setTimeout as sleep } from "node:timers/promises";

import { type CommitSequence, findCommitSequence } from "../database/commit-sequence.ts";
import { DatabaseDamaged, isDatabase } from "../database/database-file.ts";
import { holdsTables, readDatabase } from "../database/open-database.ts";
import { sizeOf } from "../durable-file.ts";
import { type Bucket, sentinelKey } from "../replica/bucket.ts";
import { type Chain, fetchChain } from "../replica/chain.ts";
import { type Head, type StoredHead, fetchHead, headKey } from "../replica/head.ts";
import { readStagedTxid } from "../replica/litestream.ts";
import type { Machine } from "../replica/machine.ts";
import { type Mark, readMark } from "../replica/mark.ts";
import { ShapeError } from "../replica/parse-json.ts";
import { fetchSentinel } from "../replica/sentinel.ts";
import { type BootFacts, BootRefused } from "./decide-boot.ts";

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
    ...namesOf(machine),
    bootId: machine.bootId,
    head: seen?.head ?? null,
    epochsExist: top.includes("epochs/"),
    chain,
    parentChain,
    ...surveyVolume(machine, seen?.head ?? null),
  };
  return { facts, seen };
}

function namesOf({ machineId, formerMachineId }: Machine): Pick<BootFacts, "machine" | "formerMachine"> {
  return { machine: machineId, ...(formerMachineId !== undefined && { formerMachine: formerMachineId }) };
}

type VolumeFacts = Pick<BootFacts, "database" | "mark" | "stagedTxid" | "position">;

/** What lies on the disk, and how far it has come. */
function surveyVolume(machine: Machine, head: Head | null): VolumeFacts {
  const { database, litestreamState } = machine.files;
  const mark = readMarkOrRefuse(machine);
  if (mark === null) {
    return { database: holdsSomething(database) ? "foreign" : "absent", mark, stagedTxid: null, position: null };
  }
  const present = isDatabase(database);
  // Only a resume and a comparison ask for it, and a damaged file must not stand in the way of any other row.
  const isOfHead = present && head?.nonce === mark.nonce;
  return {
    database: present ? "present" : "absent",
    mark,
    stagedTxid: readStagedTxid(litestreamState),
    position: isOfHead ? readPosition(database) : null,
  };
}

/** Whether a file without a mark may be somebody's data: all but nothing, 0 bytes, and a database without a table. */
function holdsSomething(path: string): boolean {
  if (sizeOf(path) === 0) return false;
  if (!isDatabase(path)) return true;
  try {
    return readDatabase(path, holdsTables);
  } catch {
    // What cannot be read is not proven to be nothing.
    return true;
  }
}

function readPosition(path: string): CommitSequence | null {
  try {
    return readDatabase(path, findCommitSequence);
  } catch (error) {
    if (error instanceof DatabaseDamaged) return null;
    throw error;
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
    const next = `move ${files.dataDirectory} away to go on from the bucket alone (what only this disk had is then in there)`;
    throw new BootRefused({ row: 3, cause: error.message, next });
  }
}

function refuseBucket(cause: string, next: string): BootRefused {
  return new BootRefused({ row: 2, cause, next });
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
