import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";

import { type HistoryRule, historyRules } from "../config/store-config.ts";
import { tlsOnlyPolicy } from "../policies/access-policy.ts";
import { optionsFor, type Store, storeEnvironment, storeLogin } from "../survey/locate-store.ts";
import { printedLine, runScript } from "./node-command.ts";

export type ReplicaBucketArgs = {
  store: Store;
  /** project/stack. It is written into the sentinel of a new bucket, so that every other stack refuses the bucket. */
  owner: string;
  /** The id that the sentinel must have. Undefined: any id, if this stack made the bucket. */
  bucketId: string | undefined;
};

/**
 * The bucket, the only thing that must survive. It is private and versioned. `pulumi destroy` keeps it, and `pulumi up`
 * adopts one that exists.
 */
export class ReplicaBucket extends pulumi.ComponentResource {
  readonly store: Store;
  readonly bucket: pulumi.Output<string>;
  readonly bucketId: pulumi.Output<string>;

  constructor(
    name: string,
    { store, owner, bucketId }: ReplicaBucketArgs,
    options: pulumi.ComponentResourceOptions = {},
  ) {
    super("lifeboat:index:ReplicaBucket", name, {}, options);
    this.store = store;
    // A destroy keeps the settings too: without versioning, for example, nothing that was overwritten comes back.
    const kept = { parent: this, retainOnDelete: true, ...optionsFor(store) };
    const made = store.managed ? [makeBucket(name, store, kept)] : [];
    const sentinel = runScript(
      `${name}-sentinel`,
      {
        script: "scripts/steps/make-sentinel.ts",
        // So that the script refuses a bucket with another id than last time.
        remembers: true,
        environment: { ...storeEnvironment(store), LIFEBOAT_OWNER: owner, LIFEBOAT_BUCKET_ID: bucketId ?? "" },
        ...storeLogin(store),
      },
      { parent: this, dependsOn: made },
    );
    // The sentinel proves that the bucket is ours, so it comes before the settings. A machine needs the id, so it comes
    // after them.
    const settings = made.flatMap((bucket) => makeSettings(name, { store, bucket }, { kept, after: sentinel }));
    this.bucket = pulumi.output(store.bucket);
    this.bucketId = pulumi.all([printedLine(sentinel), settings.map(({ id }) => id)]).apply(([id]) => id);
    this.registerOutputs({ bucket: this.bucket, bucketId: this.bucketId });
  }
}

/**
 * A refresh writes all that it finds into the bucket's resource. Without this list the next `up` would remove the
 * settings that are separate resources here, and those that other people made on an adopted bucket.
 */
const ignoredProperties = [
  "versioning",
  "lifecycleRules",
  "serverSideEncryptionConfiguration",
  "policy",
  "acl",
  "grants",
  "accelerationStatus",
  "corsRules",
  "logging",
  "objectLockConfiguration",
  "objectLockEnabled",
  "replicationConfiguration",
  "requestPayer",
  "website",
  "tags",
  "tagsAll",
];

function makeBucket(name: string, store: Store, kept: pulumi.CustomResourceOptions): aws.s3.Bucket {
  return new aws.s3.Bucket(
    name,
    { bucket: store.bucket },
    { ...kept, ignoreChanges: ignoredProperties, ...(store.exists ? { import: store.bucket } : {}) },
  );
}

type Place = { kept: pulumi.CustomResourceOptions; after: pulumi.Resource };

/** One setting after the other: AWS and others refuse two changes of a bucket at once (409 OperationAborted). */
function makeSettings(
  name: string,
  { store, bucket: made }: { store: Store; bucket: aws.s3.Bucket },
  { kept, after }: Place,
): pulumi.CustomResource[] {
  const makers = store.keys === undefined ? closeBucket(name, made) : keepHistoryByScript(name, store);
  const settings: pulumi.CustomResource[] = [];
  for (const make of makers) settings.push(make({ ...kept, dependsOn: settings.at(-1) ?? after }));
  return settings;
}

type SettingMaker = (options: pulumi.CustomResourceOptions) => pulumi.CustomResource;

function closeBucket(name: string, made: aws.s3.Bucket): SettingMaker[] {
  const { bucket } = made;
  const closed = {
    blockPublicAcls: true,
    blockPublicPolicy: true,
    ignorePublicAcls: true,
    restrictPublicBuckets: true,
  };
  const encrypted = { rules: [{ applyServerSideEncryptionByDefault: { sseAlgorithm: "AES256" } }] };
  const policy = bucket.apply((whole) => JSON.stringify(tlsOnlyPolicy(whole)));
  return [
    (options) => new aws.s3.BucketVersioning(name, { bucket, versioningConfiguration: { status: "Enabled" } }, options),
    (options) => expireHistory(name, made, options),
    (options) => new aws.s3.BucketPublicAccessBlock(name, { bucket, ...closed }, options),
    (options) =>
      new aws.s3.BucketOwnershipControls(name, { bucket, rule: { objectOwnership: "BucketOwnerEnforced" } }, options),
    (options) => new aws.s3.BucketServerSideEncryptionConfiguration(name, { bucket, ...encrypted }, options),
    (options) => new aws.s3.BucketPolicy(name, { bucket, policy }, options),
  ];
}

// Never a rule for current objects: the newest level-0 file is Litestream's anchor, and without it a replica silently
// goes wrong.
function expireHistory(
  name: string,
  { bucket }: aws.s3.Bucket,
  options: pulumi.CustomResourceOptions,
): pulumi.CustomResource {
  return new aws.s3.BucketLifecycleConfiguration(name, { bucket, rules: historyRules.map(expireOld) }, options);
}

function expireOld({ id, prefix, days }: HistoryRule) {
  return {
    id,
    status: "Enabled",
    filter: prefix === "" ? {} : { prefix },
    noncurrentVersionExpiration: { noncurrentDays: days },
    // Only markers without older versions. Replication leaves about 86,000 of them a day, and every listing has to skip
    // them.
    expiration: { expiredObjectDeleteMarker: true },
    abortIncompleteMultipartUpload: { daysAfterInitiation: 7 },
  };
}

// Not by the provider's resources: they wait until a setting reads back in Amazon's wording, which other stores do not
// use, and they do not say what to do when a store refuses.
function keepHistoryByScript(name: string, store: Store): SettingMaker[] {
  const run =
    (what: string, environment: Record<string, string>): SettingMaker =>
    ({ parent, dependsOn }) =>
      runScript(
        `${name}-${what}`,
        {
          script: `scripts/steps/set-${what}.ts`,
          environment: { ...storeEnvironment(store), ...environment },
          ...storeLogin(store),
        },
        { ...(parent !== undefined && { parent }), ...(dependsOn !== undefined && { dependsOn }) },
      );
  return [run("versioning", {}), run("lifecycle", { LIFEBOAT_HISTORY_RULES: JSON.stringify(historyRules) })];
}
