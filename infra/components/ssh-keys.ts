import { createHash } from "node:crypto";

import type { StandingSshKey } from "../survey/survey-project.ts";

/** One key of a machine: an existing key of the project by name or id, or one that this stack uploads. */
export type ServerKey = { nameOrId: string } | UploadedKey;

type UploadedKey = {
  publicKey: string;
  /** Depends on the key only, and not on its comment. */
  short: string;
  /** Uploaded by an earlier stack of this name. */
  adopted: number | undefined;
};

/**
 * Plans the keys of a machine from names and public keys. Hetzner stores a public key once in a project, so one that
 * somebody else uploaded is used, never uploaded again.
 */
export function planServerKeys(sshKeys: readonly string[], standing: readonly StandingSshKey[]): ServerKey[] {
  return [...new Set(sshKeys.map(withoutComment))].map((key) => {
    if (!isPublicKey(key)) return { nameOrId: key };
    const found = standing.find(({ publicKey }) => withoutComment(publicKey) === key);
    if (found !== undefined && !found.isOurs) return { nameOrId: String(found.id) };
    const short = createHash("sha256").update(key).digest("hex").slice(0, 8);
    return { publicKey: key, short, adopted: found?.id };
  });
}

function isPublicKey(key: string): boolean {
  return /^(ssh-|ecdsa-|sk-)\S+ \S+/.test(key);
}

function withoutComment(key: string): string {
  return isPublicKey(key) ? key.trim().split(/\s+/, 2).join(" ") : key;
}
