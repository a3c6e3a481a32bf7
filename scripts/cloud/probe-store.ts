import { randomUUID } from "node:crypto";

import { DeleteObjectCommand, GetObjectTaggingCommand } from "@aws-sdk/client-s3";

import { BucketError, toBucketError } from "../../app/replica/bucket-error.ts";
import { type Bucket, openBucket } from "../../app/replica/bucket.ts";
import { probeConditionalWrites } from "../../app/replica/conditional-writes.ts";
import { adviseOnStore } from "../../app/replica/diagnose-store.ts";
import { type CloudStore, requireVariable } from "./open-client.ts";

type Environment = Readonly<Record<string, string | undefined>>;

// Two that probe at once must not spoil each other's conditions.
const machineId = `before-${randomUUID()}`;
const key = `reports/conditional-writes/${machineId}.json`;

/**
 * Tries at a given store what a machine and the aws provider will ask of it, before a machine is bought; AWS itself is
 * not asked. Throws naming every call that is missing. Returns a warning when the store ignores conditions, null else.
 */
export async function probeStore(store: CloudStore, environment: Environment): Promise<string | null> {
  if ((environment["LIFEBOAT_ACCESS_KEY_ID"] ?? "") === "") return null;
  const bucket = await openAsMachine(store, environment);
  try {
    const missing: string[] = [];
    const warning = await noteMissing(missing, () => probeConditions(bucket));
    await noteMissing(missing, () => readTags(store));
    if (missing.length === 0) return warning;
    throw new Error(
      `bucket ${store.bucket} cannot be used, and no machine was bought. Its store refuses:\n${missing.map((one) => `- ${one}`).join("\n")}`,
    );
  } finally {
    await store.client.send(new DeleteObjectCommand({ Bucket: store.bucket, Key: key }));
  }
}

async function openAsMachine({ client, bucket }: CloudStore, environment: Environment): Promise<Bucket> {
  const { accessKeyId, secretAccessKey } = await client.config.credentials();
  const pathStyle = environment["LIFEBOAT_PATH_STYLE"] === "true";
  const endpoint = requireVariable(environment, "LIFEBOAT_ENDPOINT");
  const region = requireVariable(environment, "LIFEBOAT_REGION");
  return openBucket({ bucket, region, endpoint, pathStyle, accessKeyId, secretAccessKey });
}

/** A fault that passes, or that is no refusal of a call, is thrown as it is: nothing is known then. */
async function noteMissing(missing: string[], probe: () => Promise<string | null>): Promise<string | null> {
  try {
    return await probe();
  } catch (error) {
    if (!(error instanceof BucketError) || (error.kind !== "unsupported" && error.kind !== "never-matches"))
      throw error;
    missing.push(error.message);
    return null;
  }
}

async function probeConditions(bucket: Bucket): Promise<string | null> {
  if ((await probeConditionalWrites(bucket, machineId)) === "enforced") return null;
  // Advisory: ignored, or not known at all. Under the latter no claim could be won.
  const { etag } = await bucket.get(key);
  for (const condition of [{ ifMatch: etag }, { ifNoneMatch: "*" }] as const) {
    try {
      await bucket.put(key, "{}", condition);
    } catch (error) {
      if (!(error instanceof BucketError)) throw error;
      const detail = `${String(adviseOnStore(error))}; its own words: ${error.message}`;
      if (error.kind === "unsupported")
        throw new BucketError("unsupported", "conditional PUT", { detail, cause: error });
    }
  }
  return `bucket ${bucket.name}: its store ignores conditional writes, so the fence is only advisory and \`bucket\` writes are refused`;
}

/** The aws provider reads the tags of every object that it uploads. */
async function readTags({ client, bucket: Bucket }: CloudStore): Promise<null> {
  try {
    await client.send(new GetObjectTaggingCommand({ Bucket, Key: key }));
  } catch (error) {
    const fault = toBucketError(error, "GetObjectTagging, which the aws provider calls for what it uploads");
    // A store may say that there are no tags by 404.
    if (!(fault instanceof BucketError && fault.kind === "missing")) throw fault;
  }
  return null;
}
