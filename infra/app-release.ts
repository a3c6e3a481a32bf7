import { relative } from "node:path";

import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";

import type { BuiltRelease } from "../cloud-init/built-release.ts";
import { optionsFor } from "./locate-store.ts";
import type { ReplicaBucket } from "./replica-bucket.ts";

export type AppReleaseArgs = { bucket: ReplicaBucket; release: BuiltRelease };

/** A release in the bucket, under its own hash. Uploading it changes nothing on any machine. */
export class AppRelease extends pulumi.ComponentResource {
  /** Known once the archive is in the bucket. */
  readonly sha256: pulumi.Output<string>;

  constructor(name: string, { bucket, release }: AppReleaseArgs, options: pulumi.ComponentResourceOptions = {}) {
    super("lifeboat:index:AppRelease", name, {}, options);
    // Every release is a resource of its own, and kept: the way back leads to the one before.
    const object = new aws.s3.BucketObjectv2(
      `${name}-${release.sha256.slice(0, 12)}`,
      {
        bucket: bucket.bucket,
        key: `releases/${release.sha256}.tar.gz`,
        // From the program's folder, where engine and provider run: a path of this computer would be a change in every other clone.
        source: new pulumi.asset.FileAsset(relative(import.meta.dirname, release.path)),
        contentType: "application/gzip",
      },
      { parent: this, retainOnDelete: true, dependsOn: bucket, ...optionsFor(bucket.store) },
    );
    this.sha256 = object.key.apply(() => release.sha256);
    this.registerOutputs({ sha256: this.sha256 });
  }
}
