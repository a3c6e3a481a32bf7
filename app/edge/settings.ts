import { isIPv4, isIPv6 } from "node:net";
import { join, resolve } from "node:path";

import { EnvironmentReading } from "../environment.ts";
import type { BucketConfig } from "../replica/s3-client.ts";

/** What the machine is called from outside: nothing, its address, or a name, which www.NAME may lead to. */
export type Domain = { mode: "none" } | { mode: "ip" } | { mode: "name"; name: string; www: boolean };

export type EdgeSettings = {
  domain: Domain;
  /** The machine's own addresses, IPv4 first. Empty with mode none. */
  addresses: readonly string[];
  acmeDirectory: string;
  /** Where certificates are copied to. Null with mode none. */
  bucket: BucketConfig | null;
  places: EdgePlaces;
  ports: { http: number; https: number; app: number };
  /** Asked instead of the system's, each as ADDRESS or ADDRESS:PORT. */
  dnsServers: readonly string[];
  logLevel: string;
};

export type EdgePlaces = {
  /** Caddy's own storage: the account and the certificates. */
  storage: string;
  /** What was served last. */
  served: string;
  /** What Caddy runs with. */
  caddyfile: string;
  adminSocket: string;
};

export const letsEncrypt = "https://acme-v02.api.letsencrypt.org/directory";

/** Reads and checks the edge's settings once. Throws ConfigFault with all faults together; no message contains a secret. */
export function readEdgeSettings(environment: NodeJS.ProcessEnv): EdgeSettings {
  const read = new Reading(environment);
  const domain = read.domain();
  const isBare = domain.mode === "none";
  const acmeDirectory = read.acmeDirectory();
  const settings: EdgeSettings = {
    domain,
    addresses: isBare ? [] : read.addresses(),
    acmeDirectory,
    bucket: isBare ? null : read.bucket(),
    places: read.places(),
    ports: {
      http: read.port("LIFEBOAT_HTTP_PORT", 80),
      https: read.port("LIFEBOAT_HTTPS_PORT", 443),
      app: read.port("LIFEBOAT_PORT", 8080),
    },
    dnsServers: (read.optional("LIFEBOAT_DNS_SERVERS") ?? "").split(",").filter((server) => server !== ""),
    logLevel: read.choice("LIFEBOAT_LOG_LEVEL", ["info", "debug", "warn", "error", "silent"]),
  };
  read.throwFaults();
  return Object.freeze(settings);
}

const label = "[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?";
// The last label of a name is never a number: that would be an address.
const hostName = new RegExp(`^(?:${label}\\.)+(?=[a-z])${label}$`);
const longestName = 253;

class Reading extends EnvironmentReading {
  domain(): Domain {
    const mode = this.optional("LIFEBOAT_DOMAIN") ?? "none";
    const www = this.flag("LIFEBOAT_WWW", false);
    if (mode === "none" || mode === "ip") {
      if (www) this.fault(`LIFEBOAT_WWW is true, and LIFEBOAT_DOMAIN is no name (got ${mode})`);
      return { mode };
    }
    if (!hostName.test(mode) || mode.length > longestName)
      this.fault(`LIFEBOAT_DOMAIN must be ip, none or a host name in lower case (got ${mode})`);
    return { mode: "name", name: mode, www };
  }

  acmeDirectory(): string {
    const url = this.httpUrl("LIFEBOAT_ACME_DIRECTORY") ?? letsEncrypt;
    if (/[\s{}"'`\\]/.test(url))
      this.fault("LIFEBOAT_ACME_DIRECTORY must hold no blanks, braces, quotes or backslashes");
    return url;
  }

  addresses(): string[] {
    const ipv4 = this.required("LIFEBOAT_IPV4");
    const ipv6 = this.optional("LIFEBOAT_IPV6");
    if (ipv4 !== "" && !isIPv4(ipv4)) this.fault(`LIFEBOAT_IPV4 must be an IPv4 address (got ${ipv4})`);
    if (ipv6 === undefined) return [ipv4];
    // One with a zone is no address for others.
    if (isIPv6(ipv6) && !ipv6.includes("%")) return [ipv4, normaliseIpv6(ipv6)];
    this.fault(`LIFEBOAT_IPV6 must be an IPv6 address (got ${ipv6})`);
    return [ipv4];
  }

  bucket(): BucketConfig {
    const endpoint = this.httpUrl("LIFEBOAT_ENDPOINT");
    return {
      bucket: this.required("LIFEBOAT_BUCKET"),
      region: this.region("LIFEBOAT_REGION"),
      ...(endpoint === undefined ? {} : { endpoint }),
      pathStyle: this.flag("LIFEBOAT_PATH_STYLE", endpoint !== undefined),
      accessKeyId: this.required("LIFEBOAT_EDGE_ACCESS_KEY_ID"),
      secretAccessKey: this.required("LIFEBOAT_EDGE_SECRET_ACCESS_KEY"),
    };
  }

  places(): EdgePlaces {
    const state = resolve(this.required("LIFEBOAT_EDGE_STATE_DIR"));
    const run = resolve(this.required("LIFEBOAT_EDGE_RUN_DIR"));
    return {
      storage: join(state, "caddy"),
      served: join(state, "served.json"),
      caddyfile: join(run, "Caddyfile"),
      adminSocket: join(run, "admin.sock"),
    };
  }

  port(name: string, fallback: number): number {
    return this.integer(name, { fallback, least: 1, most: 65_535 });
  }
}

/** The one form in which an IPv6 address is compared and written. */
export function normaliseIpv6(address: string): string {
  return new URL(`http://[${address}]`).hostname.slice(1, -1);
}
