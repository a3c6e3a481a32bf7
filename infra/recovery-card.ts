import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";

import type { ActiveRelease } from "./active-release.ts";
import type { InfraConfig } from "./config.ts";
import { optionsFor, type Store } from "./locate-store.ts";
import type { ReplicaBucket } from "./replica-bucket.ts";

export type RecoveryCardArgs = {
  config: InfraConfig;
  bucket: ReplicaBucket;
  /** The card is written once the machine answered: it must not promise what never ran. */
  after: ActiveRelease;
};

/** The way back after everything but the bucket is lost, kept in the bucket: a text for people, and the same for `npm run up -- --adopt`. */
export class RecoveryCard extends pulumi.ComponentResource {
  readonly text: pulumi.Output<string>;

  constructor(
    name: string,
    { config, bucket, after }: RecoveryCardArgs,
    options: pulumi.ComponentResourceOptions = {},
  ) {
    super("lifeboat:index:RecoveryCard", name, {}, options);
    const { store, bucketId } = bucket;
    const kept = { parent: this, retainOnDelete: true, dependsOn: after, ...optionsFor(store) };
    const put = (part: string, object: Pick<aws.s3.BucketObjectv2Args, "key" | "content" | "contentType">) =>
      new aws.s3.BucketObjectv2(`${name}-${part}`, { bucket: bucket.bucket, ...object }, kept);
    this.text = bucketId.apply((id) => renderRecoveryCard({ config, store, bucketId: id }));
    const settings = bucketId.apply((id) => renderRecoverySettings({ config, store, bucketId: id }));
    put("card", { key: "recovery-card.txt", content: this.text, contentType: "text/plain; charset=utf-8" });
    put("settings", { key: "recovery.json", content: settings, contentType: "application/json" });
    this.registerOutputs({ text: this.text });
  }
}

type Place = Pick<Store, "bucket" | "region" | "endpoint">;

/**
 * One command that brings the database out of the bucket on any computer with curl and Litestream: it asks head for the living epoch and restores it.
 * Keys are expected in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.
 */
export function renderRestoreCommand(store: Place): string {
  const { bucket, region, endpoint } = store;
  const base =
    endpoint === undefined
      ? `https://${bucket}.s3.${region}.amazonaws.com`
      : `${endpoint.replace(/\/$/, "")}/${bucket}`;
  const query = new URLSearchParams({
    region,
    ...(endpoint === undefined ? {} : { endpoint, forcePathStyle: "true" }),
  });
  const readHead = `curl -fsS --aws-sigv4 aws:amz:${region}:s3 --user "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY" ${base}/head.json`;
  const epoch = `$(${readHead} | sed -n 's/.*"epoch": *"\\([^"]*\\)".*/\\1/p' | head -n 1)`;
  return `litestream restore -integrity-check quick -o app.db "s3://${bucket}/epochs/${epoch}?${query.toString()}"`;
}

type CardInput = { config: InfraConfig; store: Place; bucketId: string };

/** What to keep outside of the machine and of this computer: all that the way back needs, and no secret. */
function renderRecoveryCard({ config, store, bucketId }: CardInput): string {
  const [, stack] = config.owner.split("/");
  const settings = Object.entries(listSettings({ config, store, bucketId }));
  return [
    `LIFEBOAT RECOVERY CARD  ${config.owner}`,
    "",
    "Everything is in the bucket; the machine and its volume can be lost.",
    `  bucket    ${store.bucket}`,
    `  bucketId  ${bucketId}`,
    `  region    ${store.region}`,
    ...(store.endpoint === undefined ? [] : [`  endpoint  ${store.endpoint}`]),
    "",
    "A new machine, from any computer with this repository and the keys of both clouds:",
    `  HCLOUD_TOKEN=... npm run up -- --adopt ${store.bucket} --region ${store.region}${renderEndpoint(store)}`,
    "",
    "The same with Pulumi alone:",
    `  pulumi stack init ${stack}`,
    ...settings.map(([path, value]) => `  pulumi config set --path ${quote(path)} ${quote(value)}`),
    `  (and as secrets ${listSecrets(config)})`,
    "  npm run build && pulumi up",
    "",
    "Only the database, as a file:",
    `  ${renderRestoreCommand(store)}`,
    "",
  ].join("\n");
}

/** The content of recovery.json: `config` maps the paths of `pulumi config set --path` to their values. */
function renderRecoverySettings(card: CardInput): string {
  const recovery = { format: 1, owner: card.config.owner, bucketId: card.bucketId, config: listSettings(card) };
  return `${JSON.stringify(recovery, null, 2)}\n`;
}

/** Every setting that makes the same stack again. The bucket stands there by name and id, even if its name was a default. */
function listSettings({ config, store, bucketId }: CardInput): Record<string, string> {
  const [project] = config.owner.split("/");
  const region = config.store.kind === "aws" ? { "aws:region": store.region } : {};
  const place = { [`${project}:bucket`]: store.bucket, [`${project}:bucketId`]: bucketId };
  return { ...config.settings, ...region, ...place };
}

function listSecrets({ store, heartbeatUrl }: InfraConfig): string {
  const given = store.kind === "given" ? ["secretAccessKey"] : [];
  const watched = heartbeatUrl === undefined ? [] : ["heartbeatUrl"];
  return ["hcloud:token", "apiTokens", ...given, ...watched].join(", ");
}

function renderEndpoint({ endpoint }: Place): string {
  return endpoint === undefined ? "" : ` --endpoint ${endpoint}`;
}

function quote(text: string): string {
  return /^[\w./:@-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
