import { isIPv4, isIPv6 } from "node:net";

import { plainValue, renderEnvironmentLines } from "./machine-files.ts";

/** Where the settings of the edge lie on a machine: root writes and reads it, and systemd gives it to the edge alone. */
export const edgeFile = "/etc/lifeboat/edge";

/** A host name as certificates have it: labels of lower-case letters, digits and hyphens, and at least two of them. */
export const hostName = /^(?=.{4,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

/** What the edge of a machine must know: the proxy between the internet and the app. */
export type EdgeSettings = {
  /** ip, none, or a host name. */
  domain: string;
  www: boolean;
  ipv4: string;
  /** Omitted for a machine without one. */
  ipv6?: string;
  /** Omitted for Let's Encrypt. */
  acmeDirectory?: string;
  /** A key of its own: it keeps the certificates in the bucket, and reaches nothing else there. */
  key: { accessKeyId: string; secretAccessKey: string };
};

/** Renders the file. The values are plain ones. */
export function renderEdgeFile({ key, ...edge }: EdgeSettings): string {
  return renderEnvironmentLines({
    LIFEBOAT_DOMAIN: edge.domain,
    LIFEBOAT_WWW: String(edge.www),
    LIFEBOAT_IPV4: edge.ipv4,
    ...(edge.ipv6 !== undefined && { LIFEBOAT_IPV6: edge.ipv6 }),
    ...(edge.acmeDirectory !== undefined && { LIFEBOAT_ACME_DIRECTORY: edge.acmeDirectory }),
    LIFEBOAT_EDGE_ACCESS_KEY_ID: key.accessKeyId,
    LIFEBOAT_EDGE_SECRET_ACCESS_KEY: key.secretAccessKey,
  });
}

/** Everything that is wrong with the settings, in words that never contain a secret. */
export function listEdgeFaults({ key, ...edge }: EdgeSettings): string[] {
  const checks: [boolean, string][] = [
    [
      edge.domain === "ip" || edge.domain === "none" || hostName.test(edge.domain),
      `edge.domain must be ip, none or a host name (got ${edge.domain})`,
    ],
    [isIPv4(edge.ipv4), `edge.ipv4 must be an IPv4 address (got ${edge.ipv4})`],
    [edge.ipv6 === undefined || isIPv6(edge.ipv6), `edge.ipv6 must be an IPv6 address (got ${edge.ipv6})`],
    [
      edge.acmeDirectory === undefined || plainValue.test(edge.acmeDirectory),
      `edge.acmeDirectory must hold no blanks, quotes or backslashes (got ${edge.acmeDirectory})`,
    ],
    [
      plainValue.test(key.accessKeyId) && plainValue.test(key.secretAccessKey),
      "edge.key must hold no blanks, quotes or backslashes",
    ],
  ];
  return checks.filter(([holds]) => !holds).map(([, fault]) => fault);
}
