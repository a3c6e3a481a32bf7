import { GetObjectCommand, S3ServiceException } from "@aws-sdk/client-s3";

import type { CloudStore } from "./open-client.ts";

/** Where the server of that number tells its SSH host keys (cloud-init's tell-host-keys). Only a holder of the machine's key can write there. */
export function hostKeysObject(server: string): string {
  return `reports/host-keys/${server}`;
}

/** The public keys, as `type base64`, of lines in the format of ssh_host_*_key.pub. */
export function parseHostKeys(text: string): string[] {
  return text.split("\n").flatMap((line) => /^((ssh|ecdsa)-\S+ [A-Za-z0-9+/=]+)( |$)/.exec(line)?.[1] ?? []);
}

/** The host keys that a server has told; undefined when it has told none. */
export async function fetchHostKeys({ client, bucket }: CloudStore, server: string): Promise<string[] | undefined> {
  try {
    const { Body } = await client.send(new GetObjectCommand({ Bucket: bucket, Key: hostKeysObject(server) }));
    return parseHostKeys((await Body?.transformToString()) ?? "");
  } catch (error) {
    if (error instanceof S3ServiceException && error.name === "NoSuchKey") return undefined;
    throw new Error(`reading ${hostKeysObject(server)} from bucket ${bucket}`, { cause: error });
  }
}
