import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";

import type { DataConfig } from "../config/config.ts";
import type { GivenStoreConfig, StoreKeys } from "../config/store-config.ts";

/** Where the bucket is, and whether it exists already. */
export type Store = {
  bucket: string;
  region: string;
  /** Omitted for AWS S3 itself. */
  endpoint?: string;
  pathStyle: boolean;
  /** The bucket existed before this stack, or a `pulumi destroy` left it: it is adopted, not made. */
  exists: boolean;
  /** Whether the stack makes and configures the bucket at all. */
  managed: boolean;
  /** The AWS profile of whoever runs Pulumi, if not the default. */
  profile?: string;
  /** Omitted for AWS, where the stack makes keys by IAM. */
  keys?: StoreKeys;
  /** Omitted for Pulumi's default AWS provider. */
  provider?: aws.Provider;
};

/** Resource options for a store: a given store has its own provider. */
export function optionsFor({ provider }: Pick<Store, "provider">): { provider?: aws.Provider } {
  return provider === undefined ? {} : { provider };
}

/** Environment variables that tell our scripts where the bucket is. */
export function storeEnvironment(store: Store): Record<string, string> {
  return {
    LIFEBOAT_BUCKET: store.bucket,
    LIFEBOAT_REGION: store.region,
    LIFEBOAT_ENDPOINT: store.endpoint ?? "",
    LIFEBOAT_PATH_STYLE: String(store.pathStyle),
    // Empty when whoever runs Pulumi is logged in to AWS. Then the scripts use the same login.
    LIFEBOAT_ACCESS_KEY_ID: store.keys?.accessKeyId ?? "",
    ...(store.profile === undefined ? {} : { AWS_PROFILE: store.profile }),
  };
}

/** The secret key for such a script, on its stdin. Omitted when the script uses the login of whoever runs Pulumi. */
export function storeLogin({ keys }: Store): { stdin?: pulumi.Output<string> } {
  return keys === undefined ? {} : { stdin: keys.secretAccessKey };
}

/**
 * Finds out which bucket is meant and whether it exists, so that a bucket with data is adopted and never collides.
 * Throws what the provider throws when the store does not answer: unreachable does not mean absent.
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
    // A store that only speaks S3 has none of these.
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

// An invoke returns no error code, only the provider's text. A wrong guess loses nothing: an existing bucket cannot be
// made again, and a missing one cannot be adopted.
function saysNotFound(message: string): boolean {
  return /couldn't find resource|NotFound|NoSuchBucket|StatusCode: 404|empty result/i.test(message);
}
