import type { CloudStore } from "../store/open-client.ts";
import { fetchText } from "../store/store-object.ts";

/**
 * The object in which a server publishes its SSH host keys (cloud-init's tell-host-keys). Only a holder of the
 * machine's key can write there.
 */
export function hostKeysObject(server: string): string {
  return `reports/host-keys/${server}`;
}

/** The public keys, as `type base64`, of lines in the format of ssh_host_*_key.pub. */
export function parseHostKeys(text: string): string[] {
  return text.split("\n").flatMap((line) => /^((ssh|ecdsa)-\S+ [A-Za-z0-9+/=]+)( |$)/.exec(line)?.[1] ?? []);
}

/** The host keys that a server has published. Undefined when there are none. */
export async function fetchHostKeys(store: CloudStore, server: string): Promise<string[] | undefined> {
  const object = await fetchText(store, hostKeysObject(server));
  return object === undefined ? undefined : parseHostKeys(object.text);
}
