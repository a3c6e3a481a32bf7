import { mkdirSync } from "node:fs";

import { writeDurably } from "../durable-file.ts";
import type { Log } from "../log.ts";
import { openBucket } from "../replica/bucket.ts";
import { putCertificatesBack } from "./certificate-copy.ts";
import { listHeld, readStorage } from "./certificate-storage.ts";
import { chooseSites } from "./choose-sites.ts";
import { renderCaddyfile } from "./render-caddyfile.ts";
import { readServed } from "./served.ts";
import type { EdgeSettings } from "./settings.ts";

/**
 * What has to be there before Caddy starts: the certificates, from the bucket if this disk has none, and the
 * configuration. A name without a certificate comes later, when its records have been looked at.
 */
export async function prepareEdge(settings: EdgeSettings, log: Log): Promise<void> {
  const { acmeDirectory, bucket, places, ports } = settings;
  const { storage, adminSocket } = places;
  mkdirSync(storage, { recursive: true, mode: 0o700 });
  if (bucket !== null) await putCertificatesBack({ bucket: openBucket(bucket), storage, log });
  const held = listHeld(readStorage(storage), acmeDirectory, Date.now());
  const sites = chooseSites(settings, { held, leadHere: new Set(), served: readServed(places.served) });
  writeDurably(places.caddyfile, renderCaddyfile(sites, { storage, adminSocket, ports, acmeDirectory }));
  log.info({ ...sites, held: [...held] }, "edge prepared");
}
