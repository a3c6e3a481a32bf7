import { randomUUID } from "node:crypto";

import { DeleteObjectCommand } from "@aws-sdk/client-s3";

import { BucketError } from "../../app/replica/bucket-error.ts";
import { type Bucket, openBucket } from "../../app/replica/bucket.ts";
import { probeConditionalWrites } from "../../app/replica/conditional-writes.ts";
import { adviseOnStore } from "../../app/replica/diagnose-store.ts";
import { type CloudStore, requireVariable } from "./open-client.ts";

type Environment = Readonly<Record<string, string | undefined>>;

// Two that probe at once must not spoil each other's conditions.
const machineId = `before-${randomUUID()}`;
const key = `reports/conditional-writes/${machineId}.json`;

/**
 * Tries at a given store the conditional writes that a machine will ask of it, before one is bought; AWS itself is not
 * asked. Throws when one is missing. Returns a warning when the store ignores conditions, null else.
 */
export async function probeStore(store: CloudStore, environment: Environment): Promise<string | null> {
  if ((environment["LIFEBOAT_ACCESS_KEY_ID"] ?? "") === "") return null;
  const bucket = await openAsMachine(store, environment);
  let warning: string | null;
  try {
    warning = await probeConditions(bucket);
  } catch (error) {
    // What was found counts, whether or not the probe can be removed after it.
    await removeProbe(store).catch(() => undefined);
    throw isRefusal(error) ? refuse(store, error) : error;
  }
  await removeProbe(store);
  return warning;
}

async function removeProbe({ client, bucket }: CloudStore): Promise<void> {
  await client.send(new DeleteObjectCommand({ Bucket: bucket, Key: key }));
}

/** Any other fault passes, or is no refusal of a call: nothing is known of the store then. */
function isRefusal(error: unknown): error is BucketError {
  return error instanceof BucketError && (error.kind === "unsupported" || error.kind === "never-matches");
}

function refuse({ bucket }: CloudStore, cause: BucketError): Error {
  return new Error(`bucket ${bucket} cannot be used, and no machine was bought. Its store refuses ${cause.message}`, {
    cause,
  });
}

async function openAsMachine({ client, bucket }: CloudStore, environment: Environment): Promise<Bucket> {
  const { accessKeyId, secretAccessKey } = await client.config.credentials();
  const pathStyle = environment["LIFEBOAT_PATH_STYLE"] === "true";
  const endpoint = requireVariable(environment, "LIFEBOAT_ENDPOINT");
  const region = requireVariable(environment, "LIFEBOAT_REGION");
  return openBucket({ bucket, region, endpoint, pathStyle, accessKeyId, secretAccessKey });
}

async function probeConditions(bucket: Bucket): Promise<string | null> {
  if ((await probeConditionalWrites(bucket, machineId)) === "enforced") return null;
  // Advisory: ignored, or not known at all. Under the latter no claim could be won.
  const { etag } = await bucket.get(key);
  for (const condition of [{ ifMatch: etag }, { ifNoneMatch: "*" }] as const) {
    try {
      await bucket.put(key, "{}", condition);
    } catch (error) {
      if (!(error instanceof BucketError) || (error.kind !== "precondition-failed" && error.kind !== "unsupported"))
        throw error;
      if (error.kind === "precondition-failed") continue;
      const detail = `${String(adviseOnStore(error))}; its own words: ${error.message}`;
      throw new BucketError("unsupported", "conditional PUT", { detail, cause: error });
    }
  }
  return `bucket ${bucket.name}: its store ignores conditional writes, so the fence is only advisory and \`bucket\` writes are refused`;
}
