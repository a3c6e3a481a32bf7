import { randomBytes } from "node:crypto";

import type { ConfigMap } from "@pulumi/pulumi/automation/index.js";
import { type Static, Type } from "typebox";

import { Refused } from "../../app/cli/command-line.ts";
import { sentinelKey } from "../../app/replica/bucket.ts";
import type { CloudStore } from "../store/open-client.ts";
import { fetchOwnedSentinel } from "../store/sentinel.ts";
import { fetchJson } from "../store/store-object.ts";

const recoveryKey = "recovery.json";
const RecoverySchema = Type.Object({
  format: Type.Literal(1),
  owner: Type.String({ pattern: "^[^/]+/[^/]+$" }),
  bucketId: Type.String({ minLength: 8 }),
  /** By the paths of `pulumi config set --path`. */
  config: Type.Record(Type.String(), Type.String()),
});

/** What is needed to make the stack of a bucket again, without its secrets. */
export type Recovery = Static<typeof RecoverySchema>;

/**
 * Reads what the bucket says about its stack. Throws Refused when it is not one of our buckets, or not the one that its
 * recovery.json was written for.
 */
export async function readRecovery(store: CloudStore): Promise<Recovery> {
  const sentinel = await fetchOwnedSentinel(store);
  if (sentinel === undefined)
    throw new Refused(
      `bucket ${store.bucket} has no ${sentinelKey}: it is no Lifeboat's bucket, or not the right one; name another: --adopt BUCKET`,
    );
  const recovery = await fetchJson(store, recoveryKey, RecoverySchema);
  if (recovery === undefined) {
    throw new Refused(
      `bucket ${store.bucket} has no ${recoveryKey}: no machine was ever ready with it. ` +
        `Set the stack's config by hand, bucket and bucketId (${sentinel.bucketId}) with it, then npm run up`,
    );
  }
  if (recovery.value.bucketId === sentinel.bucketId) return recovery.value;
  throw new Refused(
    `${recoveryKey} is of bucket ${recovery.value.bucketId}, but bucket ${store.bucket} is ${sentinel.bucketId}: it was copied from elsewhere; bring its own back from the old versions, or name the other bucket: --adopt BUCKET`,
  );
}

export type Replacements = { sshKey: string | undefined; adminCidr: string | undefined };

/** The settings of the stack, by their paths. A given list replaces the whole list that the bucket remembers. */
export function adoptedSettings({ owner, config }: Recovery, { sshKey, adminCidr }: Replacements): ConfigMap {
  const [project] = owner.split("/");
  const replaced = [
    [`${project}:sshKeys`, sshKey],
    [`${project}:adminCidrs`, adminCidr],
  ] as const;
  const given = replaced.flatMap(([list, value]) => (value === undefined ? [] : [[list, value] as const]));
  const kept = Object.entries(config).filter(([path]) => !given.some(([list]) => path.startsWith(`${list}[`)));
  return Object.fromEntries(
    [...kept, ...given.map(([list, value]) => [`${list}[0]`, value] as const)].map(([path, value]) => [
      path,
      { value },
    ]),
  );
}

export type AdoptedSecrets = { settings: ConfigMap; secrets: Record<string, string>; apiToken: string };

/**
 * The secrets of the stack: Hetzner's token and a given store's key from the environment, and a new API token, because
 * only users have the old ones. Throws Refused when one is missing, or is temporary.
 */
export function adoptedSecrets({ owner, config }: Recovery, environment: NodeJS.ProcessEnv): AdoptedSecrets {
  const [project] = owner.split("/");
  const apiToken = randomBytes(32).toString("hex");
  const secrets = { "hcloud:token": demand(environment, "HCLOUD_TOKEN"), [`${project}:apiTokens`]: apiToken };
  const store = config[`${project}:store`] ?? "aws";
  if (store === "aws") return { settings: {}, secrets, apiToken };
  if ((environment["AWS_SESSION_TOKEN"] ?? "") !== "")
    throw new Refused(
      "AWS_SESSION_TOKEN is set, and a machine cannot live on keys that expire: give --adopt lasting ones of the store; nothing was changed",
    );
  const settings = { [`${project}:accessKeyId`]: { value: demand(environment, "AWS_ACCESS_KEY_ID") } };
  const secretAccessKey = demand(environment, "AWS_SECRET_ACCESS_KEY");
  return { settings, secrets: { ...secrets, [`${project}:secretAccessKey`]: secretAccessKey }, apiToken };
}

function demand(environment: NodeJS.ProcessEnv, name: string): string {
  const value = environment[name] ?? "";
  if (value === "") throw new Refused(`--adopt needs ${name} in the environment; nothing was changed`);
  return value;
}
