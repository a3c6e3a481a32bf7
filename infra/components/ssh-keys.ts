import { createHash } from "node:crypto";

import type { StandingSshKey } from "../survey/survey-project.ts";

/** How a machine gets one of its keys: one that stands in the project by name or id, or one that this stack puts there. */
export type ServerKey = { nameOrId: string } | UploadedKey;

type UploadedKey = {
  publicKey: string;
  /** The same for the same key, whatever its comment says. */
  short: string;
  /** Put there by an earlier life of this stack. */
  adopted: number | undefined;
};

/** Plans the keys of a machine from names and public keys. Hetzner keeps a public key once in a project, so one that somebody else put there is used, never uploaded again. */
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
