import * as hcloud from "@pulumi/hcloud";
import * as pulumi from "@pulumi/pulumi";

import type { InfraConfig } from "../config/config.ts";
import { listNames } from "../config/domain-config.ts";
import type { StackLabels } from "./data-place.ts";

/** The records that a stack makes in a zone. */
export type WantedRecords = {
  zone: string;
  /** As the zone has them: relative to it, and `@` for itself. */
  names: readonly string[];
};

/**
 * Looks at the zone in which the stack makes its records, and changes nothing. Undefined when it makes none. Throws
 * pulumi.RunError when the zone is not in this project, is a copy of another one, or has records of somebody else under
 * the names: only a person can say whether they may go.
 */
export async function surveyRecords(
  { dnsZone: zone, ...config }: Pick<InfraConfig, "domain" | "www" | "dnsZone">,
  labels: StackLabels,
): Promise<WantedRecords | undefined> {
  if (zone === undefined) return undefined;
  await demandZone(zone);
  const names = listNames(config).map((name) => (name === zone ? "@" : name.slice(0, -zone.length - 1)));
  const { rrsets } = await hcloud.getZoneRrsets({ zone });
  const inTheWay = rrsets.filter(
    ({ name, type, labels: its }) =>
      names.includes(name) &&
      ["A", "AAAA", "CNAME"].includes(type) &&
      Object.entries(labels).some(([label, value]) => its[label] !== value),
  );
  if (inTheWay.length > 0) throw refuseForeign(zone, inTheWay);
  return { zone, names };
}

type Rrset = { name: string; type: string; records: readonly { value: string }[] };

function refuseForeign(zone: string, found: readonly Rrset[]): pulumi.RunError {
  const list = found.map(({ name, type, records }) => {
    return `${type} ${name} (${records.map(({ value }) => value).join(", ")})`;
  });
  return new pulumi.RunError(
    `zone ${zone} has records of somebody else where this stack's would go: ${list.join(" and ")}; ` +
      "delete them in Hetzner's console (DNS), or make the records yourself: pulumi config rm dnsZone. Nothing was changed; then: npm run up",
  );
}

async function demandZone(zone: string): Promise<void> {
  const found = await hcloud.getZone({ name: zone }).catch((error: unknown) => {
    if (!/not found|not_found/i.test(String(error))) throw error;
    throw new pulumi.RunError(
      `dnsZone: no zone ${zone} in the Hetzner project of hcloud:token; make it there (console.hetzner.com, DNS) and let its registrar name Hetzner's name servers, ` +
        "or make the records yourself: pulumi config rm dnsZone. Nothing was changed; then: npm run up",
    );
  });
  if (found.mode === "primary") return;
  throw new pulumi.RunError(
    `dnsZone: zone ${zone} is a ${found.mode} one, a copy of another name server's: make the records there, and pulumi config rm dnsZone; then: npm run up`,
  );
}
