import { setTimeout as sleep } from "node:timers/promises";

import { readOptionalFile, writeDurably } from "../durable-file.ts";
import type { Log } from "../log.ts";
import { openBucket } from "../replica/bucket.ts";
import { RareCauses } from "../replica/rare-causes.ts";
import { CertificateCopy } from "./certificate-copy.ts";
import { listHeld, readStorage } from "./certificate-storage.ts";
import { findDnsFault, openResolver } from "./check-dns.ts";
import { chooseSites, type EdgeFacts, isServed, listNames } from "./choose-sites.ts";
import { CaddyfileRefused, loadCaddyfile } from "./load-caddyfile.ts";
import { renderCaddyfile } from "./render-caddyfile.ts";
import { describeServed, readServed, writeServed } from "./served.ts";
import type { EdgeSettings } from "./settings.ts";

/** The files of some certificates are read, and nothing is sent. */
const lookEveryMs = 1_000;
const askDnsEveryMs = 5_000;
const refusedPauseMs = 60_000;

/**
 * Watches over Caddy: lets a name in as soon as its records lead here, lets go of the one before when there is a
 * certificate, and copies certificates into the bucket.
 */
export class EdgeWatch {
  readonly #settings: EdgeSettings;
  readonly #log: Log;
  readonly #copy: CertificateCopy | null;
  readonly #resolver: ReturnType<typeof openResolver>;
  readonly #leadHere = new Set<string>();
  readonly #news = new RareCauses();
  #held: ReadonlySet<string> = new Set();
  #askDnsAtMs = 0;
  #loadAtMs = 0;

  constructor(settings: EdgeSettings, log: Log) {
    this.#settings = settings;
    this.#log = log;
    this.#copy = settings.bucket === null ? null : new CertificateCopy(openBucket(settings.bucket), log);
    this.#resolver = openResolver(settings.dnsServers);
  }

  /** Watches until the signal is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.look();
      await sleep(lookEveryMs, null, { signal }).catch(() => null);
    }
  }

  /** One look at everything. */
  async look(): Promise<void> {
    const settings = this.#settings;
    const { acmeDirectory, domain, places } = settings;
    const files = readStorage(places.storage);
    // Otherwise a renewal would take its name out, and break itself off, if DNS cannot be asked just then.
    const held = listHeld(files, acmeDirectory, Date.now(), this.#held);
    this.#held = held;
    await this.#askDns(held);
    const facts: EdgeFacts = { held, leadHere: this.#leadHere, served: readServed(places.served) };
    await this.#load(facts);
    if (isServed(settings, facts)) writeServed(places.served, describeServed(domain));
    await this.#copy?.copy(files);
  }

  async #askDns(held: ReadonlySet<string>): Promise<void> {
    const unknown = listNames(this.#settings.domain).filter((name) => !held.has(name) && !this.#leadHere.has(name));
    if (unknown.length === 0 || performance.now() < this.#askDnsAtMs) return;
    for (const name of unknown) {
      const cause = await findDnsFault(name, this.#settings.addresses, this.#resolver);
      if (cause === null) {
        this.#leadHere.add(name);
        this.#log.info({ name }, "the name leads here; its certificate is ordered");
      } else if (this.#news.isNews(cause)) {
        this.#log.warn({ name, cause }, "the name does not lead here yet, and nothing is ordered for it");
      }
    }
    this.#askDnsAtMs = performance.now() + askDnsEveryMs;
  }

  /** What Caddy runs with lies in the file: prepare writes it before the start, and nobody else but this. */
  async #load(facts: EdgeFacts): Promise<void> {
    const { acmeDirectory, places, ports } = this.#settings;
    const { storage, adminSocket } = places;
    const sites = chooseSites(this.#settings, facts);
    const caddyfile = renderCaddyfile(sites, { storage, adminSocket, ports, acmeDirectory });
    if (readOptionalFile(places.caddyfile) === caddyfile || performance.now() < this.#loadAtMs) return;
    try {
      await loadCaddyfile(adminSocket, caddyfile);
      writeDurably(places.caddyfile, caddyfile);
      this.#log.info({ ...sites }, "Caddy serves this from now on");
    } catch (error) {
      const cause = String(error);
      if (error instanceof CaddyfileRefused) {
        this.#loadAtMs = performance.now() + refusedPauseMs;
        this.#log.error({ cause }, "Caddy refuses its new configuration and keeps the one before");
      } else if (this.#news.isNews(cause)) this.#log.warn({ cause }, "Caddy is not there to be told; trying again");
    }
  }
}
