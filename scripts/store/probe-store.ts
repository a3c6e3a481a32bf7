import { randomUUID } from "node:crypto";

import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  UploadPartCommand,
} from "@aws-sdk/client-s3";

import { BucketError, toBucketError } from "../../app/replica/bucket-error.ts";
import { type Bucket, openBucket } from "../../app/replica/bucket.ts";
import { probeConditionalWrites } from "../../app/replica/conditional-writes.ts";
import { type CloudStore, requireVariable } from "./open-client.ts";
import { refusesCall } from "./refused-call.ts";

type Environment = Readonly<Record<string, string | undefined>>;

// Two that probe at once must not spoil each other's conditions.
const machineId = `before-${randomUUID()}`;
const key = `reports/conditional-writes/${machineId}.json`;
// Only there may a machine's key abort an upload. No object is ever made of it: a boot that found one under epochs/ would not take the bucket for an empty one.
const abortedKey = `epochs/${machineId}`;

/**
 * Tries at a given store every kind of call that a machine's boot and its Litestream will make, before one is bought; AWS itself is not asked. Throws
 * BucketError, `unsupported` with the name of the call when the store does not know it. Returns warnings.
 */
export async function probeStore(store: CloudStore, environment: Environment): Promise<string[]> {
  if ((environment["LIFEBOAT_ACCESS_KEY_ID"] ?? "") === "") return [];
  const bucket = await openAsMachine(store, environment);
  try {
    const isEnforced = await probeConditions(bucket);
    await probeReads(bucket);
    await probeUploads(store);
    const isRemoved = await probeRemoval(store);
    return [...(isEnforced ? [] : [advisoryFence(store)]), ...(isRemoved ? [] : [leftover(store)])];
  } catch (error) {
    // What was found counts, whether or not the probe can be removed after it.
    await removeAnyhow(store);
    throw error;
  }
}

const advisoryFence = ({ bucket }: CloudStore) =>
  `bucket ${bucket}: its store ignores conditional writes, so the fence is only advisory and \`bucket\` writes are refused`;
const leftover = ({ bucket }: CloudStore) =>
  `bucket ${bucket}: the key may not delete ${key}, a few bytes that a trial of the store leaves there; under epochs/ Litestream needs that right`;

async function openAsMachine({ client, bucket }: CloudStore, environment: Environment): Promise<Bucket> {
  const { accessKeyId, secretAccessKey } = await client.config.credentials();
  const pathStyle = environment["LIFEBOAT_PATH_STYLE"] === "true";
  const endpoint = requireVariable(environment, "LIFEBOAT_ENDPOINT");
  const region = requireVariable(environment, "LIFEBOAT_REGION");
  return openBucket({ bucket, region, endpoint, pathStyle, accessKeyId, secretAccessKey });
}

/** Makes one call, by the name that its makers give it. */
async function attempt<Result>(call: string, run: () => Promise<Result>): Promise<Result> {
  try {
    return await run();
  } catch (error) {
    const fault = toBucketError(error, call);
    if (!(fault instanceof BucketError)) throw fault;
    const { status, message, cause } = fault;
    // It has answered other calls, so it is a store.
    const kind = refusesCall(fault) ? "unsupported" : fault.kind;
    const own = cause instanceof Error ? `${cause.name}: ${cause.message}` : message;
    throw new BucketError(kind, call, { detail: own, cause: fault, ...(status !== undefined && { status }) });
  }
}

/** False: the store ignores conditions. */
async function probeConditions(bucket: Bucket): Promise<boolean> {
  if ((await probeConditionalWrites(bucket, machineId)) === "enforced") return true;
  // Advisory: ignored, or not known at all. Under the latter no claim could be won.
  const { etag } = await bucket.get(key);
  for (const condition of [{ ifMatch: etag }, { ifNoneMatch: "*" }] as const) {
    try {
      await bucket.put(key, "{}", condition);
    } catch (error) {
      if (!(error instanceof BucketError) || error.kind !== "precondition-failed") throw error;
    }
  }
  return false;
}

/** A boot lists what it can restore, and reads how large a file will be. */
async function probeReads(bucket: Bucket): Promise<void> {
  await attempt("ListObjectsV2 (LIST)", () => Array.fromAsync(bucket.list(key)));
  await attempt("GetObject with Range", () => bucket.getStart(key, 1));
}

/** Litestream sends files of 5 MiB and more in parts, and takes back an upload that failed. */
async function probeUploads({ client, bucket: Bucket }: CloudStore): Promise<void> {
  const start = async (Key: string) => {
    const { UploadId } = await client.send(new CreateMultipartUploadCommand({ Bucket, Key }));
    if (UploadId === undefined) throw BucketError.notAStore(`POST ${Key}`, "no id of an upload");
    return { Bucket, Key, UploadId };
  };
  const aborted = await attempt("CreateMultipartUpload", () => start(abortedKey));
  await attempt("AbortMultipartUpload", () => client.send(new AbortMultipartUploadCommand(aborted)));
  const upload = await attempt("CreateMultipartUpload", () => start(key));
  try {
    const PartNumber = 1;
    const part = new UploadPartCommand({ ...upload, PartNumber, Body: "{}" });
    const { ETag } = await attempt("UploadPart", () => client.send(part));
    const whole = new CompleteMultipartUploadCommand({ ...upload, MultipartUpload: { Parts: [{ PartNumber, ETag }] } });
    await attempt("CompleteMultipartUpload", () => client.send(whole));
  } catch (error) {
    await client.send(new AbortMultipartUploadCommand(upload)).catch(() => undefined);
    throw error;
  }
}

/** Removes the probe as Litestream's retention removes files. False: the key has no such right, which a machine's has only under epochs/. */
async function probeRemoval({ client, bucket: Bucket }: CloudStore): Promise<boolean> {
  return attempt("DeleteObjects", async () => {
    const { Deleted = [], Errors = [] } = await client.send(
      new DeleteObjectsCommand({ Bucket, Delete: { Objects: [{ Key: key }] } }),
    );
    const [failed] = Errors;
    if (failed?.Code === "AccessDenied") return false;
    if (failed !== undefined) throw Object.assign(new Error(failed.Message), { name: failed.Code ?? "" });
    // Any page parses as an answer without anything in it.
    if (Deleted.length === 0) throw BucketError.notAStore("POST ?delete", "the answer names nothing that was deleted");
    return true;
  });
}

/** By whichever call the store does know. */
async function removeAnyhow(store: CloudStore): Promise<void> {
  try {
    if (await probeRemoval(store)) return;
  } catch {
    // The other call may be known.
  }
  const single = new DeleteObjectCommand({ Bucket: store.bucket, Key: key });
  await store.client.send(single).catch(() => undefined);
}
