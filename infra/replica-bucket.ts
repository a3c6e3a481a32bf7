import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";

import { tlsOnlyPolicy } from "./access-policy.ts";
import { optionsFor, type Store, storeEnvironment, storeLogin } from "./locate-store.ts";
import { printedLine, runScript } from "./node-command.ts";
import { noncurrentDays } from "./store-config.ts";

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
        script: "scripts/cloud/make-sentinel.ts",
        // Another bucket than the one that this stack knows is refused.
        remembers: true,
        environment: { ...storeEnvironment(store), LIFEBOAT_OWNER: owner, LIFEBOAT_BUCKET_ID: bucketId ?? "" },
        ...storeLogin(store),
      },
      { parent: this, dependsOn: made },
    );
    // Only a bucket that is known to be ours has its settings changed, and nobody learns its id before they stand.
    const settings = made.flatMap((bucket) => makeSettings(name, { store, bucket }, { ...kept, dependsOn: sentinel }));
    this.bucket = pulumi.output(store.bucket);
    this.bucketId = pulumi.all([printedLine(sentinel), settings.map(({ id }) => id)]).apply(([id]) => id);
    this.registerOutputs({ bucket: this.bucket, bucketId: this.bucketId });
  }
}

function makeBucket(name: string, store: Store, kept: pulumi.CustomResourceOptions): aws.s3.Bucket {
  return new aws.s3.Bucket(
    name,
    { bucket: store.bucket },
    // Tags of other people on an adopted bucket are theirs.
    { ...kept, ignoreChanges: ["tags", "tagsAll"], ...(store.exists ? { import: store.bucket } : {}) },
  );
}

function makeSettings(
  name: string,
  { store, bucket }: { store: Store; bucket: aws.s3.Bucket },
  kept: pulumi.CustomResourceOptions,
): pulumi.CustomResource[] {
  const versioning = new aws.s3.BucketVersioning(
    name,
    { bucket: bucket.bucket, versioningConfiguration: { status: "Enabled" } },
    kept,
  );
  if (store.keys !== undefined) return [versioning];
  const history = expireHistory(name, bucket, { ...kept, dependsOn: versioning });
  return [versioning, ...closeBucket(name, bucket, kept), history];
}

function closeBucket(
  name: string,
  { bucket }: aws.s3.Bucket,
  kept: pulumi.CustomResourceOptions,
): pulumi.CustomResource[] {
  const block = new aws.s3.BucketPublicAccessBlock(
    name,
    { bucket, blockPublicAcls: true, blockPublicPolicy: true, ignorePublicAcls: true, restrictPublicBuckets: true },
    kept,
  );
  return [
    block,
    new aws.s3.BucketOwnershipControls(name, { bucket, rule: { objectOwnership: "BucketOwnerEnforced" } }, kept),
    new aws.s3.BucketServerSideEncryptionConfiguration(
      name,
      { bucket, rules: [{ applyServerSideEncryptionByDefault: { sseAlgorithm: "AES256" } }] },
      kept,
    ),
    new aws.s3.BucketPolicy(
      name,
      { bucket, policy: bucket.apply((made) => JSON.stringify(tlsOnlyPolicy(made))) },
      // AWS refuses the two at the same moment.
      { ...kept, dependsOn: block },
    ),
  ];
}

// Never a rule for current objects: the newest level-0 file is Litestream's anchor, and without it a replica goes wrong in silence.
function expireHistory(
  name: string,
  { bucket }: aws.s3.Bucket,
  options: pulumi.CustomResourceOptions,
): pulumi.CustomResource {
  const rule = {
    id: "history",
    status: "Enabled",
    filter: {},
    noncurrentVersionExpiration: { noncurrentDays },
    // Only markers with nothing left behind them. Replication leaves about 86,000 of them a day, and every listing has to step over them.
    expiration: { expiredObjectDeleteMarker: true },
    abortIncompleteMultipartUpload: { daysAfterInitiation: 7 },
  };
  return new aws.s3.BucketLifecycleConfiguration(name, { bucket, rules: [rule] }, options);
}
