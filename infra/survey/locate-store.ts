import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";

import type { DataConfig } from "../config/config.ts";
import type { GivenStoreConfig, StoreKeys } from "../config/store-config.ts";

/** Where the bucket is, and what there is of it already. */
export type Store = {
  bucket: string;
  region: string;
  /** Absent: AWS S3 itself. */
  endpoint?: string;
  pathStyle: boolean;
  /** The bucket was there before this stack, or a `pulumi destroy` of it left it: it is adopted, not made. */
  exists: boolean;
  /** Whether the stack makes and configures the bucket at all. */
  managed: boolean;
  /** The AWS login of whoever runs Pulumi, if it is not the default one. */
  profile?: string;
  /** Absent: AWS, where the stack makes keys by IAM. */
  keys?: StoreKeys;
  /** Absent: Pulumi's default AWS provider. */
  provider?: aws.Provider;
};

/** The options of what is made at a store: a given one has a provider of its own. */
export function optionsFor({ provider }: Pick<Store, "provider">): { provider?: aws.Provider } {
  return provider === undefined ? {} : { provider };
}

/** How the scripts that speak to the bucket are told where it is. */
export function storeEnvironment(store: Store): Record<string, string> {
  return {
    LIFEBOAT_BUCKET: store.bucket,
    LIFEBOAT_REGION: store.region,
    LIFEBOAT_ENDPOINT: store.endpoint ?? "",
    LIFEBOAT_PATH_STYLE: String(store.pathStyle),
    // Empty: whoever runs Pulumi is logged in at AWS; then the scripts use the same login.
    LIFEBOAT_ACCESS_KEY_ID: store.keys?.accessKeyId ?? "",
    ...(store.profile === undefined ? {} : { AWS_PROFILE: store.profile }),
  };
}

/** The secret key with which such a script logs in, on its stdin; nothing where it uses the login of whoever runs Pulumi. */
export function storeLogin({ keys }: Store): { stdin?: pulumi.Output<string> } {
  return keys === undefined ? {} : { stdin: keys.secretAccessKey };
}

/**
 * Finds out which bucket is meant and whether it exists, so that a bucket with data in it is adopted and never collided with.
 * Throws what the provider throws when the store cannot be asked: unreachable is not absent.
 */
export async function locateStore(config: DataConfig): Promise<Store> {
  const { store } = config;
  if (store.kind === "given") return locateGivenStore(store);
  const { region, profile } = store;
  const bucket = store.bucket ?? `${config.name}-${(await aws.getCallerIdentity()).accountId}`;
  const exists = await bucketExists(bucket);
  return { bucket, region, pathStyle: false, managed: true, exists, ...(profile === undefined ? {} : { profile }) };
}

async function locateGivenStore({ bucket, region, endpoint, createBucket, keys }: GivenStoreConfig): Promise<Store> {
  const provider = new aws.Provider("store", {
    region,
    endpoints: [{ s3: endpoint }],
    s3UsePathStyle: true,
    accessKey: keys.accessKeyId,
    secretKey: keys.secretAccessKey,
    // None of these exist at a store that only speaks S3.
    skipCredentialsValidation: true,
    skipMetadataApiCheck: true,
    skipRequestingAccountId: true,
    skipRegionValidation: true,
  });
  const exists = createBucket ? await bucketExists(bucket, provider) : true;
  return { bucket, region, endpoint, pathStyle: true, managed: createBucket, exists, keys, provider };
}

async function bucketExists(bucket: string, provider?: aws.Provider): Promise<boolean> {
  try {
    await aws.s3.getBucket({ bucket }, provider === undefined ? {} : { provider });
    return true;
  } catch (error) {
    if (error instanceof Error && saysNotFound(error.message)) return false;
    throw new pulumi.RunError(
      `bucket ${bucket} can be neither found nor ruled out: ${String(error)}; when that is mended, or another one is named (pulumi config set bucket NAME): npm run up`,
    );
  }
}

// An invoke carries no code, only the provider's text. A wrong guess loses nothing: a bucket that exists can neither be made again nor be adopted when it does not exist.
function saysNotFound(message: string): boolean {
  return /couldn't find resource|NotFound|NoSuchBucket|StatusCode: 404|empty result/i.test(message);
}
