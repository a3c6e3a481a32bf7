import { isIPv6 } from "node:net";

import * as hcloud from "@pulumi/hcloud";
import * as pulumi from "@pulumi/pulumi";

import type { KeptAddresses } from "../components/address.ts";
import type { StackLabels } from "./data-place.ts";

/** What exists at Hetzner before this `pulumi up`, even if the state that knew it is lost. */
export type Survey = {
  servers: readonly StandingServer[];
  offers: readonly ServerTypeOffer[];
  sshKeys: readonly StandingSshKey[];
  /**
   * The addresses that this stack left behind in the location. One that is assigned to a server is never taken from it.
   */
  addresses: KeptAddresses;
  /** The volume that this stack has, or left behind, in the location. */
  volume: { id: number; sizeGb: number } | undefined;
};

/** A server of this stack. */
export type StandingServer = {
  serverType: string;
  location: string;
  rebuild: string | undefined;
  hasIpv6: boolean;
};
export type ServerTypeOffer = { name: string; cores: number; availableIn: readonly string[] };
/** A key of the project, uploaded by this stack or another. */
export type StandingSshKey = { id: number; publicKey: string; isOurs: boolean };

type Labelled = { id: number; name?: string; location?: string; size?: number; labels: Record<string, string> };

/**
 * Reads from Hetzner and changes nothing. Throws pulumi.RunError when the existing machine works with another bucket,
 * and when there are several addresses or volumes to adopt: only a person can say which one is right.
 */
export async function surveyProject(location: string, labels: StackLabels): Promise<Survey> {
  const withSelector = Object.entries(labels)
    .map(([name, value]) => `${name}=${value}`)
    .join(",");
  const [{ servers }, { serverTypes }, { sshKeys }, { primaryIps }, { volumes }] = await Promise.all([
    hcloud.getServers({ withSelector: `lifeboat=${labels.lifeboat}` }),
    hcloud.getServerTypes(),
    hcloud.getSshKeys(),
    hcloud.getPrimaryIps({ withSelector }),
    hcloud.getVolumes({ withSelector }),
  ]);
  for (const server of servers) assertSameBucket(server, labels);
  // When an address is deleted, the provider cuts the power of the server that holds it.
  const unassigned = primaryIps.filter(({ assigneeId }) => assigneeId === 0);
  const ofType = (wanted: string) => {
    const found = unassigned.filter(({ type }) => type === wanted);
    return findOurs(`${wanted} addresses`, found, { location, labels })?.id;
  };
  const volume = findOurs("volumes", volumes, { location, labels });
  return {
    servers: servers.map(({ serverType, location: where, ipv6Address, labels: its }) => ({
      serverType,
      location: where,
      rebuild: its["rebuild"],
      hasIpv6: isIPv6(ipv6Address),
    })),
    offers: serverTypes.map(({ name, cores, locations }) => ({
      name,
      cores,
      availableIn: locations.filter(({ available }) => available).map((place) => place.name),
    })),
    sshKeys: sshKeys.map(({ id, publicKey, labels: its }) => ({
      id,
      publicKey,
      isOurs: its["lifeboat"] === labels.lifeboat,
    })),
    addresses: { ipv4: ofType("ipv4"), ipv6: ofType("ipv6") },
    volume: volume === undefined ? undefined : { id: volume.id, sizeGb: volume.size ?? 0 },
  };
}

/**
 * Whether the machine will have an IPv6 address. A new one has; one that stands may not, if somebody has taken it off at
 * Hetzner.
 */
export function expectsIpv6(
  { servers }: Pick<Survey, "servers">,
  { location, rebuild }: { location: string; rebuild: number },
): boolean {
  const wanted = String(rebuild);
  return servers.every(
    ({ location: where, rebuild: its = wanted, hasIpv6 }) => where !== location || its !== wanted || hasIpv6,
  );
}

// Its key would lose the rights to the bucket that it writes to.
function assertSameBucket(server: { name: string; labels: Record<string, string> }, { bucket }: StackLabels): void {
  const standing = server.labels["bucket"];
  if (standing === bucket) return;
  throw new pulumi.RunError(
    `server ${server.name} works with bucket ${standing}, and the configuration says ${bucket}: another bucket is another database. ` +
      "Set the bucket back, or take the machine down first: npm run down",
  );
}

function findOurs(
  what: string,
  found: readonly Labelled[],
  { location, labels }: { location: string; labels: StackLabels },
): Labelled | undefined {
  const wanted = Object.entries(labels);
  const [ours, ...others] = found.filter(
    (one) => one.location === location && wanted.every(([name, value]) => one.labels[name] === value),
  );
  if (ours === undefined || others.length === 0) return ours;
  const names = [ours, ...others].map(({ id, name }) => `${name} (${id})`).join(", ");
  throw new pulumi.RunError(
    `several ${what} in ${location} carry the labels of ${labels.lifeboat}: ${names}; delete or relabel all but one, then: npm run up`,
  );
}
