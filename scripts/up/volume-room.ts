import { GetObjectCommand, ListObjectsV2Command, S3ServiceException } from "@aws-sdk/client-s3";
import type { Stack } from "@pulumi/pulumi/automation/index.js";
import { Type } from "typebox";

import { fetchRestoredSize } from "../../app/boot/space.ts";
import { toBucketError } from "../../app/replica/bucket-error.ts";
import { epochPrefix, readChain } from "../../app/replica/chain.ts";
import { headKey } from "../../app/replica/head.ts";
import type { Plan } from "../engine/plan.ts";
import { readSettings, type StackSettings } from "../engine/read-settings.ts";
import type { CloudStore } from "../store/open-client.ts";
import { openStoreOf } from "../store/open-store.ts";
import { fetchJson } from "../store/store-object.ts";

const gibibyte = 1024 ** 3;
/** The database, a second one beside it that a boot restores or sets aside, and the base that Litestream stages. */
const copies = 3;
/** The default of Pulumi.yaml. */
const defaultSizeGb = 10;
// A listing steps over every delete marker (ADR 22): with 350,000 of them one page may take longer than other requests may.
const listLimitMs = 180_000;
const HeadSchema = Type.Object({
  epoch: Type.String(),
  parent: Type.Union([Type.Object({ epoch: Type.String() }), Type.Null()]),
});

/** Warns of a volume that is too small for the database that lies in the bucket; null when there is nothing to say. */
export async function warnOfSmallVolume(
  stack: StackSettings & Pick<Stack, "getConfig">,
  plan: Pick<Plan, "storeEnvironment">,
  limitMs = listLimitMs,
): Promise<string | null> {
  const sizeGb = Number((await readSettings(stack)).get("volumeSizeGb") ?? defaultSizeGb);
  using store = await openStoreOf(stack, plan, limitMs);
  if (store === undefined) return null;
  try {
    const bytes = await fetchDatabaseSize(store);
    return bytes === null ? null : renderSmallVolume(bytes, sizeGb);
  } catch (error) {
    // A warning that cannot be given is no reason not to plan; a bucket that is yet to be made holds no database.
    if (isMissingBucket(error)) return null;
    return `whether the volume is large enough could not be told: ${error instanceof Error ? error.message : String(error)}`;
  }
}

/** The warning, or null when the volume has room for everything that a boot may need. */
export function renderSmallVolume(databaseBytes: number, sizeGb: number): string | null {
  if (copies * databaseBytes <= sizeGb * gibibyte) return null;
  const neededGb = Math.ceil((copies * databaseBytes) / gibibyte);
  return (
    `warning: the database has ${(databaseBytes / gibibyte).toFixed(1)} GB, and the volume ${sizeGb} GB: a boot may find no room for a second copy and ` +
    `refuse. Give it ${copies} times the database: pulumi config set volumeSizeGb ${neededGb}`
  );
}

/** How large the database is that a new machine would restore; null when the bucket holds none. */
export async function fetchDatabaseSize(store: CloudStore): Promise<number | null> {
  const head = (await fetchJson(store, headKey, HeadSchema))?.value;
  if (head === undefined) return null;
  // An epoch without a base is one whose machine had no time for it: then the parent's is restored.
  return (await fetchEpochSize(store, head.epoch)) ?? (head.parent && fetchEpochSize(store, head.parent.epoch));
}

async function fetchEpochSize(store: CloudStore, epoch: string): Promise<number | null> {
  const keys = await Array.fromAsync(listKeys(store, epochPrefix(epoch)));
  const reading = { getStart: getStartOf(store), list: (prefix: string) => listKeys(store, prefix) };
  return fetchRestoredSize(reading, epoch, readChain(keys));
}

async function* listKeys({ client, bucket }: CloudStore, prefix: string): AsyncGenerator<string> {
  let token: string | undefined;
  do {
    const command = new ListObjectsV2Command({ Bucket: bucket, Prefix: prefix, ContinuationToken: token });
    const page = await client.send(command);
    for (const { Key } of page.Contents ?? []) if (Key !== undefined) yield Key;
    token = page.NextContinuationToken;
  } while (token !== undefined);
}

function getStartOf({ client, bucket }: CloudStore) {
  return async (key: string, bytes: number): Promise<Uint8Array> => {
    try {
      const range = new GetObjectCommand({ Bucket: bucket, Key: key, Range: `bytes=0-${bytes - 1}` });
      return (await (await client.send(range)).Body?.transformToByteArray()) ?? new Uint8Array();
    } catch (error) {
      throw toBucketError(error, `GET the start of ${key}`);
    }
  };
}

function isMissingBucket(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return (error instanceof S3ServiceException && error.name === "NoSuchBucket") || isMissingBucket(error.cause);
}
