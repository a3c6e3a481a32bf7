import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";

import { type HistoryRule, historyRules } from "../config/store-config.ts";
import { tlsOnlyPolicy } from "../policies/access-policy.ts";
import { optionsFor, type Store, storeEnvironment, storeLogin } from "../survey/locate-store.ts";
import { printedLine, runScript } from "./node-command.ts";

export type ReplicaBucketArgs = {
  store: Store;
  /** project/stack; the sentinel of a new bucket names it, and refuses others later. */
  owner: string;
  /** The id that an existing sentinel must carry. */
  bucketId: string | undefined;
};

/** The bucket, the only thing that must survive: private, versioned, kept by `pulumi destroy`, adopted when it is there already. */
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
    // Whatever describes the data is kept when the stack goes: undoing the versioning, say, would be a loss too.
    const kept = { parent: this, retainOnDelete: true, ...optionsFor(store) };
    const made = store.managed ? [makeBucket(name, store, kept)] : [];
    const sentinel = runScript(
      `${name}-sentinel`,
      {
        script: "scripts/steps/make-sentinel.ts",
        // Another bucket than the one that this stack knows is refused.
        remembers: true,
        environment: { ...storeEnvironment(store), LIFEBOAT_OWNER: owner, LIFEBOAT_BUCKET_ID: bucketId ?? "" },
        ...storeLogin(store),
      },
      { parent: this, dependsOn: made },
    );
    // Only a bucket that is known to be ours has its settings changed, and nobody learns its id before they stand.
    const settings = made.flatMap((bucket) => makeSettings(name, { store, bucket }, { kept, after: sentinel }));
    this.bucket = pulumi.output(store.bucket);
    this.bucketId = pulumi.all([printedLine(sentinel), settings.map(({ id }) => id)]).apply(([id]) => id);
    this.registerOutputs({ bucket: this.bucket, bucketId: this.bucketId });
  }
}

/**
 * What the bucket's own resource must not judge. A refresh writes what it finds into that resource, whoever made it; the next `up` would take away what the
 * program does not say there: the settings that are resources of their own, and what other people set on a bucket that was adopted.
 */
const notOfTheBucket = [
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
    { ...kept, ignoreChanges: notOfTheBucket, ...(store.exists ? { import: store.bucket } : {}) },
  );
}

type Place = { kept: pulumi.CustomResourceOptions; after: pulumi.Resource };

/** The bucket's settings, each after the one before: AWS and others refuse two changes of one bucket at the same moment (409 OperationAborted). */
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

// Never a rule for current objects: the newest level-0 file is Litestream's anchor, and without it a replica goes wrong in silence.
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
    // Only markers with nothing left behind them. Replication leaves about 86,000 of them a day, and every listing has to step over them.
    expiration: { expiredObjectDeleteMarker: true },
    abortIncompleteMultipartUpload: { daysAfterInitiation: 7 },
  };
}

// The provider's resources read both back until they stand as Amazon words them, which other stores do not do, and tell a refusal in the store's own word.
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
