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
import { readRestoreOrder, type RestoreOrder } from "../replica/restore-order.ts";
import { fetchSentinel } from "../replica/sentinel.ts";
import { type BootFacts, BootRefused, isOrderFor } from "./decide-boot.ts";

export type Survey = { facts: BootFacts; seen: StoredHead | null };

const chainListings = 3;
const relistDelayMs = 300;

/** Gathers the facts for decideBoot from the store and the volume. Throws BootRefused (row 2) or BucketError. */
export async function surveyBoot(bucket: Bucket, machine: Machine): Promise<Survey> {
  const top = await bucket.listTop();
  await assertSentinel(bucket, machine, top);
  const seen = top.includes(headKey) ? await fetchHead(bucket) : null;
  const head = seen?.head ?? null;
  const chain = await surveyChain(bucket, head, head?.state === "living");
  // Only a head without a base may fall back to its parent.
  const fallsBack = head?.state === "opening" && (chain.state === "empty" || chain.state === "no-base");
  const parentChain = await surveyChain(bucket, fallsBack ? head.parent : null, false);
  const order = readOrderOrRefuse(machine);
  const orderChain = await surveyChain(
    bucket,
    order !== null && head !== null && isOrderFor(order, head) ? order : null,
    false,
  );
  const facts: BootFacts = {
    ...namesOf(machine),
    bootId: machine.bootId,
    head,
    epochsExist: top.includes("epochs/"),
    chain,
    parentChain,
    order,
    incomingBytes: sizeOf(machine.files.incoming),
    orderChain,
    ...surveyVolume(machine, head),
  };
  return { facts, seen };
}

function namesOf({ machineId, formerMachineId }: Machine): Pick<BootFacts, "machine" | "formerMachine"> {
  return { machine: machineId, ...(formerMachineId !== undefined && { formerMachine: formerMachineId }) };
}

type VolumeFacts = Pick<BootFacts, "database" | "mark" | "stagedTxid" | "position">;

/** Reads what lies on the disk, and its commit sequence. */
function surveyVolume(machine: Machine, head: Head | null): VolumeFacts {
  const { database, litestreamState } = machine.files;
  const mark = readMarkOrRefuse(machine);
  if (mark === null) {
    return { database: holdsSomething(database) ? "foreign" : "absent", mark, stagedTxid: null, position: null };
  }
  const present = isDatabase(database);
  // Only a resume and a comparison need it, and a damaged file must not block any other row.
  const isOfHead = present && head?.nonce === mark.nonce;
  return {
    database: present ? "present" : "absent",
    mark,
    stagedTxid: readStagedTxid(litestreamState),
    position: isOfHead ? readPosition(database) : null,
  };
}

/** Whether a file without a mark may be somebody's data: everything but 0 bytes and a database without tables. */
function holdsSomething(path: string): boolean {
  if (sizeOf(path) === 0) return false;
  if (!isDatabase(path)) return true;
  try {
    return readDatabase(path, holdsTables);
  } catch {
    // A file that cannot be read is not proven to be empty.
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
 * The positive control: right bucket, right key, an answer from a real store. Only after it can "there is nothing" be
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

/** Without the mark nobody knows whose database this is. */
function readMarkOrRefuse({ files }: Machine): Mark | null {
  try {
    return readMark(files.mark);
  } catch (error) {
    if (!(error instanceof ShapeError)) throw error;
    const next = `move ${files.dataDirectory} away to go on from the bucket alone (what only this disk had is then in there)`;
    throw new BootRefused({ row: 3, cause: error.message, next });
  }
}

/** Somebody wanted an earlier state: to serve another one would be a guess. */
function readOrderOrRefuse({ files }: Machine): RestoreOrder | null {
  try {
    return readRestoreOrder(files.restoreOrder);
  } catch (error) {
    if (!(error instanceof ShapeError)) throw error;
    const next = `delete ${files.restoreOrder} to go on with the newest state, and ask for the earlier one again`;
    throw new BootRefused({ row: 12, cause: error.message, next });
  }
}

function refuseBucket(cause: string, next: string): BootRefused {
  return new BootRefused({ row: 2, cause, next });
}

/** A listing that is taken during a compaction can look broken. So a base that must exist is looked for three times. */
async function surveyChain(
  bucket: Bucket,
  place: { epoch: string; txid?: string } | null,
  mustBeWhole: boolean,
): Promise<Chain> {
  if (place === null) return { state: "empty" };
  for (let listing = 1; ; listing++) {
    const chain = await fetchChain(bucket, place.epoch, place.txid);
    const suspicious = chain.state === "broken" || (mustBeWhole && chain.state !== "whole");
    if (!suspicious || listing === chainListings) return chain;
    await sleep(relistDelayMs);
  }
}
