import * as pulumi from "@pulumi/pulumi";

import type { EdgeSettings } from "../../cloud-init/edge-file.ts";
import { type DomainConfig, namesHost } from "../config/domain-config.ts";
import type { AccessKey } from "./replica-access.ts";

/** The addresses of a machine. An empty IPv6 address: it has none. */
export type Addresses = { ip: pulumi.Output<string>; ipv6: pulumi.Output<string> };

/** What the edge of a machine with these addresses must know. Secret, because it contains a key. */
export function edgeSettings(
  { domain, www, acmeDirectory }: DomainConfig,
  { ip, ipv6 }: Addresses,
  { accessKeyId, secretAccessKey }: AccessKey,
): pulumi.Output<EdgeSettings> {
  return pulumi.all([ip, ipv6, accessKeyId, secretAccessKey]).apply(([ipv4, six, id, secret]) => ({
    domain,
    www,
    ipv4,
    ...(six !== "" && { ipv6: six }),
    ...(acmeDirectory !== undefined && { acmeDirectory }),
    key: { accessKeyId: id, secretAccessKey: secret },
  }));
}

/** Where the world reaches the machine. */
export function urlOf({ domain }: Pick<DomainConfig, "domain">, ip: pulumi.Output<string>): pulumi.Output<string> {
  if (namesHost({ domain })) return pulumi.output(`https://${domain}`);
  return pulumi.interpolate`${domain === "none" ? "http" : "https"}://${ip}`;
}
