import { mkdirSync } from "node:fs";

import { writeDurably } from "../durable-file.ts";
import type { Log } from "../log.ts";
import { openBucket } from "../replica/bucket.ts";
import { putCertificatesBack } from "./certificate-copy.ts";
import { listHeld, readStorage } from "./certificate-storage.ts";
import { findDnsFault, openResolver } from "./check-dns.ts";
import { chooseSites, listNames } from "./choose-sites.ts";
import { renderCaddyfile } from "./render-caddyfile.ts";
import { readServed } from "./served.ts";
import type { EdgeSettings } from "./settings.ts";

/**
 * What has to be there before Caddy starts: the certificates, from the bucket if this disk has none, and the
 * configuration. A name without a certificate is in it only if its records lead here; another one comes later. Asked here
 * too, because another configuration a second after the start would break orders off that have begun.
 */
export async function prepareEdge(settings: EdgeSettings, log: Log): Promise<void> {
  const { acmeDirectory, bucket, places, ports } = settings;
  const { storage, adminSocket } = places;
  mkdirSync(storage, { recursive: true, mode: 0o700 });
  if (bucket !== null) await putCertificatesBack({ bucket: openBucket(bucket), storage, log });
  const held = listHeld(readStorage(storage), acmeDirectory, Date.now());
  const leadHere = await listLeading(settings, held);
  const sites = chooseSites(settings, { held, leadHere, served: readServed(places.served) });
  writeDurably(places.caddyfile, renderCaddyfile(sites, { storage, adminSocket, ports, acmeDirectory }));
  log.info({ ...sites, held: [...held] }, "edge prepared");
}

async function listLeading(settings: EdgeSettings, held: ReadonlySet<string>): Promise<ReadonlySet<string>> {
  const resolver = openResolver(settings.dnsServers);
  const asked = listNames(settings.domain)
    .filter((name) => !held.has(name))
    .map(async (name) => ((await findDnsFault(name, settings.addresses, resolver)) === null ? [name] : []));
  return new Set((await Promise.all(asked)).flat());
}
