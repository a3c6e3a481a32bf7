import * as pulumi from "@pulumi/pulumi";

import { platformOf } from "../../cloud-init/built-release.ts";
import type { InfraConfig } from "../config/config.ts";
import type { Store } from "../survey/locate-store.ts";
import type { ActiveRelease } from "./active-release.ts";
import { type BucketObjectArgs, putObject } from "./bucket-object.ts";
import type { ReplicaBucket } from "./replica-bucket.ts";

export type RecoveryCardArgs = {
  config: InfraConfig;
  bucket: ReplicaBucket;
  /** The machine has answered. Before that, the card would promise a machine that never ran. */
  after: ActiveRelease;
};

/**
 * How to recover when everything but the bucket is lost. Kept in the bucket, as a text for people and as settings for
 * `npm run up -- --adopt`.
 */
export class RecoveryCard extends pulumi.ComponentResource {
  constructor(
    name: string,
    { config, bucket, after }: RecoveryCardArgs,
    options: pulumi.ComponentResourceOptions = {},
  ) {
    super("lifeboat:index:RecoveryCard", name, {}, options);
    const { store, bucketId } = bucket;
    const put = (part: string, object: Omit<BucketObjectArgs, "bucket">) =>
      putObject(`${name}-${part}`, { bucket, ...object }, { parent: this, dependsOn: after });
    const text = bucketId.apply((id) => renderRecoveryCard({ config, store, bucketId: id }));
    const settings = bucketId.apply((id) => renderRecoverySettings({ config, store, bucketId: id }));
    put("card", { key: "recovery-card.txt", body: { text }, contentType: "text/plain; charset=utf-8" });
    put("settings", { key: "recovery.json", body: { text: settings }, contentType: "application/json" });
    this.registerOutputs();
  }
}

type Place = Pick<Store, "bucket" | "region" | "endpoint">;

// SHA-256 of an empty body. Amazon answers 400 without it, and curl before version 8 does not send it.
const emptySha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/**
 * One command that restores the database from the bucket on any computer with curl and Litestream: it reads the living
 * epoch from head and restores it. It expects keys in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and
 * AWS_SESSION_TOKEN for temporary ones.
 */
export function renderRestoreCommand(store: Place): string {
  const { bucket, region, endpoint } = store;
  const query = new URLSearchParams({
    region,
    ...(endpoint === undefined ? {} : { endpoint, forcePathStyle: "true" }),
  });
  const headers = [
    `-H "x-amz-content-sha256: ${emptySha256}"`,
    // One word without a blank before the quote, because zsh does not split it and curl must get the same.
    '${AWS_SESSION_TOKEN:+-H"x-amz-security-token: $AWS_SESSION_TOKEN"}',
  ];
  const key = '--user "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY"';
  const readHead = `curl -fsS --aws-sigv4 aws:amz:${region}:s3 ${key} ${headers.join(" ")} ${renderBucketUrl(store)}/head.json`;
  const epoch = `$(${readHead} | sed -n 's/.*"epoch": *"\\([^"]*\\)".*/\\1/p' | head -n 1)`;
  const replica = `s3://${bucket}/epochs/\${epoch:?head.json could not be read}?${query.toString()}`;
  return `epoch=${epoch} && litestream restore -integrity-check quick -o app.db "${replica}"`;
}

function renderBucketUrl({ bucket, region, endpoint }: Place): string {
  if (endpoint !== undefined) return `${endpoint.replace(/\/$/, "")}/${bucket}`;
  const domain = region.startsWith("cn-") ? "amazonaws.com.cn" : "amazonaws.com";
  // A certificate for *.s3.… is not valid for a bucket name with a dot.
  return bucket.includes(".") ? `https://s3.${region}.${domain}/${bucket}` : `https://${bucket}.s3.${region}.${domain}`;
}

type CardInput = { config: InfraConfig; store: Place; bucketId: string };

/** What to keep outside of the machine and of this computer: everything that a recovery needs, and no secret. */
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
    `Everything below wants ${listVariables(config)}.`,
    "",
    "A new machine, from any computer with this repository; --ssh-key FILE and --admin-cidr CIDR if yours have changed:",
    `  ${renderAdopt(store)}`,
    "",
    "The same with Pulumi alone, after `pulumi login`:",
    `  pulumi stack init ${stack}`,
    ...settings.map(([path, value]) => `  pulumi config set --path ${quote(path)} ${quote(value)}`),
    ...listSecrets(config).map(([name, value]) => `  pulumi config set --secret ${name} "${value}"`),
    `  npm run build -- --platform ${platformOf(config.serverType)} && pulumi up`,
    "",
    "Only the database, as a file, with curl and Litestream:",
    `  ${renderRestoreCommand(store)}`,
    "",
  ].join("\n");
}

/** The content of recovery.json: `config` maps the paths of `pulumi config set --path` to their values. */
function renderRecoverySettings(card: CardInput): string {
  const recovery = { format: 1, owner: card.config.owner, bucketId: card.bucketId, config: listSettings(card) };
  return `${JSON.stringify(recovery, null, 2)}\n`;
}

/**
 * Every setting that makes the same stack again. The bucket is written by name and id, even if its name was the
 * default.
 */
function listSettings({ config, store, bucketId }: CardInput): Record<string, string> {
  const [project] = config.owner.split("/");
  const region = config.store.kind === "aws" ? { "aws:region": store.region } : {};
  const place = { [`${project}:bucket`]: store.bucket, [`${project}:bucketId`]: bucketId };
  return { ...config.settings, ...region, ...place };
}

/** The shell expression for each secret, by the name of its setting. */
function listSecrets({ store, heartbeatUrl }: InfraConfig): [string, string][] {
  const given: [string, string][] = store.kind === "given" ? [["secretAccessKey", "$AWS_SECRET_ACCESS_KEY"]] : [];
  const watched: [string, string][] = heartbeatUrl === undefined ? [] : [["heartbeatUrl", "$HEARTBEAT_URL"]];
  return [["hcloud:token", "$HCLOUD_TOKEN"], ["apiTokens", "$(openssl rand -hex 32)"], ...given, ...watched];
}

function listVariables({ store, heartbeatUrl }: InfraConfig): string {
  const temporary = store.kind === "aws" ? "; AWS_SESSION_TOKEN too, if the keys are temporary" : "";
  const watched = heartbeatUrl === undefined ? "" : "; HEARTBEAT_URL, which you alone know";
  return `HCLOUD_TOKEN, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY${temporary}${watched}`;
}

function renderAdopt({ bucket, region, endpoint }: Place): string {
  return `npm run up -- --adopt ${bucket} --region ${region}${endpoint === undefined ? "" : ` --endpoint ${endpoint}`}`;
}

function quote(text: string): string {
  return /^[\w./:@-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
