import * as pulumi from "@pulumi/pulumi";

import type { BuiltRelease } from "../../cloud-init/built-release.ts";
import { putObject } from "./bucket-object.ts";
import type { ReplicaBucket } from "./replica-bucket.ts";

export type AppReleaseArgs = { bucket: ReplicaBucket; release: BuiltRelease };

/** A release in the bucket, under its own hash. Uploading it changes nothing on any machine. */
export class AppRelease extends pulumi.ComponentResource {
  /** Known once the archive is in the bucket. */
  readonly sha256: pulumi.Output<string>;

  constructor(name: string, { bucket, release }: AppReleaseArgs, options: pulumi.ComponentResourceOptions = {}) {
    super("lifeboat:index:AppRelease", name, {}, options);
    // Every release is a resource of its own, and kept: the way back leads to the one before.
    const key = putObject(
      `${name}-${release.sha256.slice(0, 12)}`,
      { bucket, key: `releases/${release.sha256}.tar.gz`, contentType: "application/gzip", body: { release } },
      { parent: this, dependsOn: bucket },
    );
    this.sha256 = key.apply(() => release.sha256);
    this.registerOutputs({ sha256: this.sha256 });
  }
}
