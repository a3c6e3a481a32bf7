import * as hcloud from "@pulumi/hcloud";
import * as pulumi from "@pulumi/pulumi";

import type { WantedRecords } from "../survey/survey-records.ts";
import type { Machine } from "./machine.ts";

export type DnsRecordsArgs = {
  /** Undefined: somebody else makes the records. */
  wanted: WantedRecords | undefined;
  labels: Record<string, string>;
  machine: Machine;
  /** Whether the machine has an IPv6 address. Hetzner refuses a record without a value. */
  hasIpv6: boolean;
};

// Short, so that a move to other addresses is over in minutes.
const ttlSeconds = 300;

/** The records by which the machine's names lead to its addresses, in a zone of the Hetzner project. */
export class DnsRecords extends pulumi.ComponentResource {
  constructor(name: string, args: DnsRecordsArgs, options: pulumi.ComponentResourceOptions = {}) {
    super("lifeboat:index:DnsRecords", name, {}, options);
    const { zone, names } = args.wanted ?? { zone: "", names: [] };
    for (const relative of names) {
      this.#point(name, { zone, relative, type: "A" }, args.machine.ip, args);
      if (args.hasIpv6) this.#point(name, { zone, relative, type: "AAAA" }, args.machine.ipv6, args);
    }
    this.registerOutputs();
  }

  #point(
    name: string,
    { zone, relative, type }: { zone: string; relative: string; type: "A" | "AAAA" },
    value: pulumi.Output<string>,
    { labels }: DnsRecordsArgs,
  ): void {
    // oxlint-disable-next-line no-new -- a resource is made by its constructor, and nothing is read from this one
    new hcloud.ZoneRrset(
      `${name}-${relative === "@" ? zone : `${relative}.${zone}`}-${type.toLowerCase()}`,
      { zone, name: relative, type, ttl: ttlSeconds, records: [{ value }], labels },
      // Somebody may have switched it on at Hetzner, and a refresh finds it.
      { parent: this, ignoreChanges: ["changeProtection"] },
    );
  }
}
