import { createHash } from "node:crypto";

import { GetObjectCommand, PutObjectCommand, type S3Client } from "@aws-sdk/client-s3";

import type { Account } from "../aws/account.ts";
import type { Server } from "../hcloud/cloud.ts";

export type Machine = Readonly<{
  release: string;
  accessKeyId: string;
  tokens: string;
  heartbeatUrl: string;
  /** The lines of /etc/lifeboat/edge. */
  edge: Readonly<Record<string, string>>;
  /** Everything that it was given, as lines. */
  settings: string;
}>;

type BringUp = Readonly<{ server: Server; script: string; settings: string }>;

/** What scripts/remote/bring-up.sh does on a machine, as far as the cloud can tell. Throws what it would write to stderr. */
export async function bringUp({ server, script, settings }: BringUp, account: Account): Promise<Machine> {
  const release = /^set -- ([0-9a-f]{64}) [0-9]+$/m.exec(script)?.[1];
  if (release === undefined) throw new Error(`the script names no release: ${script.slice(0, 100)}`);
  if (!server.user_data.startsWith("#cloud-config\n")) throw new Error("the machine was born without cloud-config");
  if (server.volumes.length === 0) throw new Error("/data: no volume");
  const given = readSettings(settings);
  const LIFEBOAT_BUCKET = readSettings(server.user_data)["LIFEBOAT_BUCKET"] ?? "";
  const { client, bucket: Bucket } = logIn({ account, server, settings: { ...given, LIFEBOAT_BUCKET } });
  const found = await client.send(new GetObjectCommand({ Bucket, Key: `releases/${release}.tar.gz` }));
  const archive = (await found.Body?.transformToByteArray()) ?? new Uint8Array();
  const sha256 = createHash("sha256").update(archive).digest("hex");
  if (sha256 !== release) throw new Error(`release ${release} has SHA-256 ${sha256}`);
  const accessKeyId = given["LITESTREAM_ACCESS_KEY_ID"] ?? "";
  const heartbeatUrl = given["LIFEBOAT_HEARTBEAT_URL"] ?? "";
  const [, tokens = "", edge = ""] =
    /^# tokens\n([^]*)# edge\n([^]*)# settings-key\n[0-9a-f]{64}\n# complete$/m.exec(settings) ?? [];
  return { release, accessKeyId, heartbeatUrl, tokens, edge: readSettings(edge), settings };
}

/** Puts the host keys of a server's birth into the bucket, as cloud-init's tell-host-keys does, with the key of its birth. */
export async function tellHostKeys(server: Server, account: Account): Promise<void> {
  const settings = readSettings(server.user_data);
  const words = `${hostKeyOf(server)} root@${server.name}\n`;
  await putAs({ account, server, settings }, `reports/host-keys/${server.id}`, words);
}

/** The public host key of a machine, as `type base64`. */
export function hostKeyOf({ id }: Server): string {
  return `ssh-ed25519 ${Buffer.from(`host key of ${id}`).toString("base64")}`;
}

type RefusedBoot = Readonly<{ server: Server; settings: string; cause: string }>;

/** Leaves the report of a refused boot in the bucket, as app/boot/report.ts does, with the machine's own key. */
export async function reportRefusal({ server, settings, cause }: RefusedBoot, account: Account): Promise<void> {
  const startedAt = new Date().toISOString();
  const report = { outcome: "refused", machine: server.name, startedAt, cause, next: "restore head.json" };
  const given = { ...readSettings(server.user_data), ...readSettings(settings) };
  const key = `reports/boot/${startedAt}-${server.name}.json`;
  await putAs({ account, server, settings: given }, key, JSON.stringify(report));
}

export type Login = Readonly<{ account: Account; server: Server; settings: Readonly<Record<string, string>> }>;

/** Writes an object as a machine does. */
export async function putAs(login: Login, Key: string, Body: string): Promise<void> {
  const { client, bucket: Bucket } = logIn(login);
  await client.send(new PutObjectCommand({ Bucket, Key, Body }));
}

/** The bucket as a machine with these settings has it. From its address: the key works from nowhere else. */
export function logIn({ account, server, settings }: Login): { client: S3Client; bucket: string } {
  const key = {
    accessKeyId: settings["LITESTREAM_ACCESS_KEY_ID"] ?? "",
    secretAccessKey: settings["LITESTREAM_SECRET_ACCESS_KEY"] ?? "",
  };
  return { client: account.openAs(key, server.public_net.ipv4?.ip), bucket: settings["LIFEBOAT_BUCKET"] ?? "" };
}

/** The key for settings that come by the bucket, in what a machine was given. */
export function readSettingsKey(settings: string): string | undefined {
  return /^# settings-key\n([0-9a-f]{64})$/m.exec(settings)?.[1];
}

/** Every NAME='value' line of a text. */
export function readSettings(text: string): Record<string, string> {
  const lines = text.matchAll(/^\s*([A-Z0-9_]+)='(.*)'$/gm);
  return Object.fromEntries([...lines].map(([, name = "", value = ""]) => [name, value]));
}
