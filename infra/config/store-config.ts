import * as pulumi from "@pulumi/pulumi";

import { isOrigin } from "../../cloud-init/user-data-input.ts";
import type { ConfigReading } from "./config-reading.ts";

/** Keys of a given store. The machine gets the same ones, for such stores have no IAM that we could use. */
export type StoreKeys = { accessKeyId: string; secretAccessKey: pulumi.Output<string> };

export type StoreConfig = AwsStoreConfig | GivenStoreConfig;

type AwsStoreConfig = {
  kind: "aws";
  region: string;
  /** The login of whoever runs Pulumi, if it is not the default one. */
  profile?: string;
  /** Absent: the name is made from project, stack and account. */
  bucket?: string;
};

export type GivenStoreConfig = {
  kind: "given";
  region: string;
  endpoint: string;
  bucket: string;
  /** Make the bucket when it is missing. */
  createBucket: boolean;
  keys: StoreKeys;
};

/** How many days an overwritten or deleted object under a prefix can still be brought back. */
export type HistoryRule = { id: string; prefix: string; days: number };

// Few: replication deletes some 86,000 files a day there, each leaves a version and a marker, and every listing steps over them.
const ofEpochs: HistoryRule = { id: "epochs", prefix: "epochs/", days: 3 };

/** The lifecycle of a bucket. Of two rules that apply S3 obeys the shorter; a store that obeys the first finds it first. */
export const historyRules: readonly HistoryRule[] = [ofEpochs, { id: "history", prefix: "", days: 30 }];

/** The days for what replication deletes. */
export const epochsHistoryDays = ofEpochs.days;

type GivenStore = "s3" | "minio" | "hetzner" | "r2";
const stores = ["aws", "s3", "minio", "hetzner", "r2"] as const;

// S3's own rule, without the dots, which break TLS to <bucket>.s3.<region>.
const bucketPattern = /^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$/;

/** Reads where the bucket is. A preset only fills in what follows from the store: its endpoint and its usual region. */
export function readStore(read: ConfigReading): StoreConfig {
  if (read.optional("store") === "b2") return refuseB2(read);
  const store = read.choice("store", stores);
  const bucket = read.optional("bucket");
  if (bucket !== undefined && !bucketPattern.test(bucket)) {
    read.fault(`bucket must hold 3 to 63 lower-case letters, digits and hyphens (got ${bucket})`);
  }
  if (store === "aws") return readAwsStore(read, bucket);
  if (bucket === undefined) read.fault(`bucket is missing: store ${store} needs the name of a bucket`);
  const region = readRegion(read, store);
  const endpoint = readEndpoint(read, store, region);
  const createBucket = read.flag("createBucket", false);
  if (createBucket && (store === "r2" || isHostOf("r2.cloudflarestorage.com", endpoint)))
    read.fault(
      "createBucket: R2 has no PutBucketVersioning; make the bucket in Cloudflare's dashboard, and leave createBucket away",
    );
  return {
    kind: "given",
    region,
    endpoint,
    bucket: bucket ?? "",
    createBucket,
    keys: {
      accessKeyId: read.required("accessKeyId", `store ${store} needs an access key`),
      secretAccessKey: read.secret(
        "secretAccessKey",
        (value) => (/\s/.test(value) ? "must not hold spaces" : null),
        "pulumi config set --secret secretAccessKey",
      ),
    },
  };
}

const noB2 =
  "Backblaze B2 answers 501 (NotImplemented) to conditional writes (PUT with If-Match or If-None-Match), without which no machine can claim the bucket; " +
  "take aws, hetzner, r2, minio, or s3 for any other store that honours them";

/** One fault, and none of what follows from it: nobody should look for the region of a store that cannot be used. */
function refuseB2(read: ConfigReading): StoreConfig {
  read.fault(`store b2 is refused: ${noB2}`);
  return { kind: "aws", region: "" };
}

function readAwsStore(read: ConfigReading, bucket: string | undefined): AwsStoreConfig {
  const aws = new pulumi.Config("aws");
  const [region, profile] = [aws.get("region"), aws.get("profile")];
  if (region === undefined) read.fault("aws:region is missing: pulumi config set aws:region eu-central-1");
  if (/^(cn|us-gov)-/.test(region ?? "")) read.fault(`aws:region ${region} is in a partition that is not supported`);
  // The provider would use them and our own steps would not: half of an up would be logged in.
  for (const name of ["accessKey", "secretKey", "token", "assumeRoles", "sharedCredentialsFiles"]) {
    if (aws.get(name) === undefined) continue;
    read.fault(`aws:${name} is not read by every step: log in by the environment, or by a profile (aws:profile)`);
  }
  for (const name of ["endpoint", "region", "accessKeyId"]) {
    if (read.optional(name) === undefined) continue;
    read.fault(`${name} is for a given store; with store aws it must be empty (or did you mean store s3?)`);
  }
  return {
    kind: "aws",
    region: region ?? "",
    ...(profile === undefined ? {} : { profile }),
    ...(bucket === undefined ? {} : { bucket }),
  };
}

function readRegion(read: ConfigReading, store: GivenStore): string {
  const usual: Record<GivenStore, string | undefined> = {
    s3: undefined,
    hetzner: undefined,
    minio: "us-east-1",
    r2: "auto",
  };
  const region = read.optional("region") ?? usual[store];
  if (region === undefined) read.fault(`region is missing: store ${store} needs one`);
  else if (!/^[a-z0-9-]+$/.test(region))
    read.fault(`region must hold lower-case letters, digits and hyphens (got ${region})`);
  return region ?? "";
}

function readEndpoint(read: ConfigReading, store: GivenStore, region: string): string {
  const usual: Record<GivenStore, string | undefined> = {
    hetzner: `https://${region}.your-objectstorage.com`,
    s3: undefined,
    minio: undefined,
    r2: undefined,
  };
  const endpoint = read.optional("endpoint") ?? usual[store];
  if (endpoint === undefined) read.fault(`endpoint is missing: store ${store} needs its URL`);
  else if (isHostOf("backblazeb2.com", endpoint)) read.fault(`endpoint ${endpoint} is refused: ${noB2}`);
  else if (!isOrigin(endpoint)) read.fault(`endpoint must be https://host[:port] without a path (got ${endpoint})`);
  return endpoint ?? "";
}

/** Whether an endpoint is a domain's or of a name under it, whatever the preset says; also with the dot of the root, or without https://. */
function isHostOf(domain: string, endpoint: string): boolean {
  const host =
    URL.parse(endpoint.includes("://") ? endpoint : `https://${endpoint}`)?.hostname.replace(/\.$/, "") ?? "";
  return host === domain || host.endsWith(`.${domain}`);
}
