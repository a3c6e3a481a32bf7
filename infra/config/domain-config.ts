import { isIP } from "node:net";
import { domainToASCII } from "node:url";

import { hostName } from "../../cloud-init/edge-file.ts";
import { isOrigin, isPlainUrl } from "../../cloud-init/user-data-input.ts";
import type { ConfigReading } from "./config-reading.ts";

/** By which name the world reaches the machine. */
export type DomainConfig = {
  /** ip: HTTPS at the address itself; none: plain HTTP for the administrators; else a host name. */
  domain: string;
  /** Whether www.DOMAIN leads to DOMAIN. */
  www: boolean;
  /** The zone at Hetzner in which the stack makes the records. Undefined: somebody else makes them. */
  dnsZone: string | undefined;
  /** Whether the addresses stay reserved when the machine goes. */
  keepAddress: boolean;
  /** Undefined: Let's Encrypt. */
  acmeDirectory: string | undefined;
};

/** Reads what says under which name the machine serves, and reports every fault of it. */
export function readDomain(read: ConfigReading): DomainConfig {
  const domain = read.text("domain", "ip");
  const isName = namesHost({ domain });
  const fault = isName ? findNameFault(domain) : null;
  if (fault !== null) read.fault(`domain ${fault}`);
  const www = read.flag("www", false);
  if (www && !isName) read.fault(`www needs a host name as domain (domain is ${domain})`);
  if (www && domain.startsWith("www.")) read.fault(`www would make www.${domain}: set domain to ${domain.slice(4)}`);
  return {
    domain,
    www,
    dnsZone: readZone(read, domain),
    keepAddress: read.flag("keepAddress", true),
    acmeDirectory: readDirectory(read),
  };
}

/** Whether a machine has a name, and is not reached by its address. */
export function namesHost({ domain }: Pick<DomainConfig, "domain">): boolean {
  return domain !== "ip" && domain !== "none";
}

/** The names under which the machine serves. Empty when it has none. */
export function listNames({ domain, www }: Pick<DomainConfig, "domain" | "www">): string[] {
  if (!namesHost({ domain })) return [];
  return www ? [domain, `www.${domain}`] : [domain];
}

function readZone(read: ConfigReading, domain: string): string | undefined {
  const zone = read.optional("dnsZone");
  if (zone === undefined) return undefined;
  const fault = findNameFault(zone);
  if (fault !== null) read.fault(`dnsZone ${fault}`);
  else if (!namesHost({ domain })) read.fault(`dnsZone needs a host name as domain (domain is ${domain})`);
  else if (domain !== zone && !domain.endsWith(`.${zone}`))
    read.fault(`dnsZone ${zone} does not hold ${domain}: it must be the end of domain`);
  return zone;
}

function readDirectory(read: ConfigReading): string | undefined {
  const url = read.optional("acmeDirectory");
  if (url === undefined) return undefined;
  if (!url.startsWith("https://") || !isPlainUrl(url) || isOrigin(url))
    read.fault(`acmeDirectory must be the https:// URL of an ACME directory (got ${url})`);
  return url;
}

/** What is wrong with a host name, with the right one where it can be guessed. Null when nothing is. */
function findNameFault(text: string): string | null {
  if (hostName.test(text)) return null;
  const got = `(got ${text})`;
  if (isIP(text.replace(/^\[|\]$/g, "")) !== 0)
    return `must be a name, not an address ${got}: for a certificate of the machine's own address leave it at ip`;
  const name = text.replace(/^[a-z]+:\/\//i, "").replace(/[:/?#].*$/, "");
  if (name !== text) return `must be a name alone, without https://, port or path ${got}${suggest(name)}`;
  if (text.startsWith("*.")) return `must be one name, not a wildcard ${got}`;
  if (/[^\x20-\x7e]/.test(text)) return `must be written in punycode ${got}${suggest(domainToASCII(text))}`;
  const plainer = text.toLowerCase().replace(/\.$/, "");
  if (plainer !== text && hostName.test(plainer))
    return `must be in lower case, without a dot at its end ${got}: ${plainer}`;
  return `must be a host name such as app.example.com ${got}`;
}

function suggest(name: string): string {
  return hostName.test(name) ? `: ${name}` : "";
}
