import { Resolver } from "node:dns/promises";

import { normaliseIpv6 } from "./settings.ts";

const answerLimitMs = 3_000;
const tries = 2;

type NameResolver = { resolve4(name: string): Promise<string[]>; resolve6(name: string): Promise<string[]> };

/** Asks the system's name servers, or the given ones. */
export function openResolver(servers: readonly string[]): NameResolver {
  const resolver = new Resolver({ timeout: answerLimitMs, tries });
  if (servers.length > 0) resolver.setServers(servers);
  return resolver;
}

/**
 * Why a name does not lead to this machine yet, in words that say what is missing; null when it does. Its A record must be the
 * machine's address and nothing else. An AAAA record may be missing, but must not lead elsewhere: an ACME server prefers
 * it.
 */
export async function findDnsFault(
  name: string,
  addresses: readonly string[],
  resolver: NameResolver,
): Promise<string | null> {
  const [ipv4 = "", ipv6] = addresses;
  try {
    const [a, aaaa] = await Promise.all([listRecords(resolver.resolve4(name)), listRecords(resolver.resolve6(name))]);
    const faults = [...judge(name, "A", a, ipv4), ...judgeIpv6(name, aaaa.map(normaliseIpv6), ipv6)];
    return faults.length === 0 ? null : faults.join("; ");
  } catch (error) {
    return `the records of ${name} cannot be read (${error instanceof Error ? error.message : String(error)})`;
  }
}

function judge(name: string, type: string, found: readonly string[], wanted: string): string[] {
  if (found.length === 1 && found[0] === wanted) return [];
  const now = found.length === 0 ? "there is none" : `it is ${found.toSorted().join(", ")}`;
  return [`the ${type} record of ${name} must be ${wanted} (${now})`];
}

function judgeIpv6(name: string, found: readonly string[], wanted: string | undefined): string[] {
  if (found.length === 0) return [];
  if (wanted !== undefined) return judge(name, "AAAA", found, wanted);
  return [
    `${name} has an AAAA record, ${found.toSorted().join(", ")}, and this machine has no IPv6 address: remove it`,
  ];
}

const none: ReadonlySet<unknown> = new Set(["ENOTFOUND", "ENODATA"]);

/** The records that an answer holds: none when the name has none. Throws when it cannot be asked. */
export async function listRecords(asking: Promise<string[]>): Promise<string[]> {
  try {
    return await asking;
  } catch (error) {
    if (error instanceof Error && "code" in error && none.has(error.code)) return [];
    throw error;
  }
}
