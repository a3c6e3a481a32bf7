import { Type } from "typebox";

import { type Cloud, fingerprintOf, type SshKey } from "./cloud.ts";
import { readBody, Refusal } from "./refusal.ts";
import type { Shelf } from "./shelf.ts";

export const sshKeyShelf: Shelf<SshKey> = {
  one: "ssh_key",
  tableOf: (cloud) => cloud.ssh_keys,
  create: createSshKey,
  remove: deleteSshKey,
};

const NewSshKey = Type.Object({
  name: Type.String({ minLength: 1 }),
  public_key: Type.String(),
  labels: Type.Optional(Type.Record(Type.String(), Type.String())),
});

/** POST /ssh_keys: name and fingerprint are unique in a project. */
function createSshKey(cloud: Cloud, body: unknown): { ssh_key: SshKey } {
  const wanted = readBody(NewSshKey, body);
  const fingerprint = fingerprintOf(wanted.public_key);
  if ([...cloud.ssh_keys.values()].some((key) => key.fingerprint === fingerprint)) {
    throw new Refusal(409, "uniqueness_error", "SSH key with the same fingerprint already exists");
  }
  const ssh_key = { ...cloud.introduce("ssh_keys", wanted), public_key: wanted.public_key, fingerprint };
  cloud.ssh_keys.set(ssh_key.id, ssh_key);
  return { ssh_key };
}

function deleteSshKey(cloud: Cloud, { id }: SshKey): null {
  cloud.ssh_keys.delete(id);
  return null;
}
