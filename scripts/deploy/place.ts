import type { Stack } from "@pulumi/pulumi/automation/index.js";

import { Refused } from "../../app/cli/command-line.ts";
import type { BucketConfig } from "../../app/replica/s3-client.ts";
import { platformOf, type ReleasePlatform } from "../../cloud-init/built-release.ts";
import { findStoreEnvironment } from "../engine/plan.ts";
import { type CloudStore, openCloudStore, openUploadStore } from "../store/open-client.ts";
import { assertBucketId, fetchOwnedSentinel } from "../store/sentinel.ts";

/** The bucket that a deploy goes to, and the machine behind it. */
export type DeployPlace = {
  open(): Promise<CloudStore>;
  /** For a release. */
  openForUpload(): Promise<CloudStore>;
  platform: ReleasePlatform;
  /** Undefined where no stack is known. */
  url: string | undefined;
};

type Wanted = { stack: string | undefined; platform: ReleasePlatform | undefined };
type Found = { place: Record<string, string>; readSecret: () => Promise<string> };

/**
 * Finds the place: in the environment when that names a bucket, as in CI, where no Pulumi is needed; else in the state
 * of the stack. Throws Refused unless the bucket is one of Lifeboat's, and the stack's own.
 */
export async function findDeployPlace(
  { stack, platform = "linux-x64" }: Wanted,
  environment: NodeJS.ProcessEnv,
): Promise<DeployPlace> {
  const { found, bucketId, read } = await findBucket(stack, environment);
  await recognise(found, bucketId);
  if (read === undefined) return { ...openers(found), platform, url: undefined };
  return { ...openers(found), platform: platformOf(read("serverType")), url: read("url") };
}

/** The bucket with a key that reads it, for whoever hands both to Litestream. Makes no request to the store. */
export async function findReadableBucket(
  stack: string | undefined,
  environment: NodeJS.ProcessEnv,
): Promise<{ bucket: BucketConfig; bucketId: string | null }> {
  const { found, bucketId } = await findBucket(stack, environment);
  using store = await openCloudStore(found.place, found.readSecret);
  const { accessKeyId, secretAccessKey, sessionToken } = await demandKey(store);
  // Litestream 0.5.17 takes a key and its secret, and no token.
  if (sessionToken !== undefined)
    throw new Refused(
      "the key at hand is one that expires, which Litestream does not take: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY to a lasting one that reads the bucket (docs/guide/verify.md)",
    );
  const { LIFEBOAT_REGION: region = "", LIFEBOAT_ENDPOINT: endpoint = "" } = found.place;
  const bucket = {
    bucket: store.bucket,
    region,
    ...(endpoint === "" ? {} : { endpoint }),
    pathStyle: found.place["LIFEBOAT_PATH_STYLE"] === "true",
    accessKeyId,
    secretAccessKey,
  };
  return { bucket, bucketId: bucketId ?? null };
}

/** `read` reads the outputs of the stack, where one is known. */
type Located = { found: Found; bucketId: string | undefined; read?: (output: string) => string };

async function findBucket(stack: string | undefined, environment: NodeJS.ProcessEnv): Promise<Located> {
  if ((environment["LIFEBOAT_BUCKET"] ?? "") === "") return findByStack(await openKnownStack(stack));
  if (stack !== undefined)
    throw new Refused("--stack and LIFEBOAT_BUCKET both say which bucket is meant: leave one of them out");
  return { found: readEnvironment(environment), bucketId: environment["LIFEBOAT_BUCKET_ID"] || undefined };
}

function readEnvironment(environment: NodeJS.ProcessEnv): Found {
  const read = (name: string) => environment[name] ?? "";
  const region = read("LIFEBOAT_REGION") || read("AWS_REGION") || read("AWS_DEFAULT_REGION");
  if (region === "")
    throw new Refused(
      "LIFEBOAT_BUCKET is set in the environment, and LIFEBOAT_REGION, its region, is not: set both, or none to use the stack",
    );
  const endpoint = read("LIFEBOAT_ENDPOINT");
  // The SDK would fail at the first request, with a stack and without its name.
  if (endpoint !== "" && !/^https?:$/.test(URL.parse(endpoint)?.protocol ?? ""))
    throw new Refused(
      "LIFEBOAT_ENDPOINT must start with https:// or http:// in the environment: set it so, or leave it out for AWS",
    );
  const place = {
    LIFEBOAT_BUCKET: read("LIFEBOAT_BUCKET"),
    LIFEBOAT_REGION: region,
    LIFEBOAT_ENDPOINT: endpoint,
    LIFEBOAT_PATH_STYLE: String(endpoint !== ""),
    AWS_PROFILE: read("AWS_PROFILE"),
  };
  // The SDK finds the key by itself: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or any other login at AWS.
  return { place, readSecret: async () => "" };
}

/** In CI a variable that was forgotten looks like a stack that nobody has. */
async function openKnownStack(name: string | undefined): Promise<Stack> {
  const { openStack } = await loadEngine();
  try {
    return await openStack(name);
  } catch (error) {
    const cause = error instanceof Error ? error.message : String(error);
    throw new Refused(
      `${cause}\nWithout a stack, as in CI, set LIFEBOAT_BUCKET and LIFEBOAT_REGION in the environment`,
    );
  }
}

async function findByStack(stack: Stack): Promise<Located> {
  const { listResources } = await loadEngine();
  const resources = await listResources(stack);
  const place = findStoreEnvironment(resources.map(({ inputs }) => inputs));
  const outputs = await stack.outputs();
  const read = (name: string) => String(outputs[name]?.value ?? "");
  if (place === undefined || read("bucketId") === "")
    throw new Refused(`stack ${stack.name} has no machine: there was no up, or a down. To have one: npm run up`);
  const found: Found = { place, readSecret: async () => (await stack.getConfig("secretAccessKey")).value };
  return { found, bucketId: read("bucketId"), read };
}

/** Pulumi's engine takes a second to load, and CI has no use for it. */
const loadEngine = () => import("../engine/open-stack.ts");

function openers({ place, readSecret }: Found): Pick<DeployPlace, "open" | "openForUpload"> {
  return { open: () => openCloudStore(place, readSecret), openForUpload: () => openUploadStore(place, readSecret) };
}

/** The positive control before anything is written. */
async function recognise({ place, readSecret }: Found, bucketId: string | undefined): Promise<void> {
  using store = await openCloudStore(place, readSecret);
  await demandKey(store);
  if (bucketId !== undefined) return assertBucketId(store, bucketId);
  if ((await fetchOwnedSentinel(store)) === undefined)
    throw new Refused(
      `bucket ${store.bucket} has no lifeboat.json: no stack of Lifeboat has made it. Compare LIFEBOAT_BUCKET with: pulumi stack output bucket`,
    );
}

/** Throws Refused when the SDK knows no key at all: to it that is a store that cannot be reached. */
async function demandKey({ client, bucket }: CloudStore) {
  return client.config.credentials().catch((error: unknown): never => {
    const cause = error instanceof Error ? error.message : String(error);
    throw new Refused(
      `no key for bucket ${bucket}: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or log in to AWS (${cause})`,
    );
  });
}
