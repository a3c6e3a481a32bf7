import { type EdgeSettings, listEdgeFaults } from "./edge-file.ts";
import { plainValue, settingsKeyRule, tokensEntry } from "./machine-files.ts";

/** What a new machine must know. Times are in milliseconds and hours. */
export type UserDataInput = {
  hostname: string;
  /** The release that the machine installs as long as the bucket names no desired one. */
  release: { sha256: string };
  /** The filesystem for a blank volume. A kept volume stays what it is. */
  filesystem: "ext4" | "btrfs";
  bucket: {
    bucket: string;
    region: string;
    /** Omitted for Amazon itself. */
    endpoint?: string;
    pathStyle: boolean;
    /** The id that the sentinel must carry. */
    bucketId: string;
  };
  /** The machine's own key for the bucket. */
  key: { accessKeyId: string; secretAccessKey: string };
  /** What lies between the internet and the app. */
  edge: EdgeSettings;
  /** The API tokens, each as `<name>:<SHA-256 in hex>` or the digest alone. */
  apiTokensSha256: string[];
  /** Called while replication is proven. */
  heartbeatUrl?: string;
  replicationIntervalMs: number;
  syncsPerMonth: number;
  retentionHours: number;
  /** With it the machine opens settings that come by the bucket. */
  settingsKey: string;
};

/**
 * The host name of a stack's machine, which is also its server's name at Hetzner, and the label of everything there.
 */
export function nameOfStack(project: string, stack: string): string {
  return `${project}-${stack}`.toLowerCase();
}

const sha256 = /^[0-9a-f]{64}$/;

/** Lists everything that is wrong with the input. The words never contain a secret. */
export function listFaults(input: UserDataInput): string[] {
  const { bucket, key } = input;
  const checks: [boolean, string][] = [
    [
      /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(input.hostname),
      `hostname must be one label of a domain name (got ${input.hostname})`,
    ],
    [sha256.test(input.release.sha256), `release.sha256 must be 64 hex digits (got ${input.release.sha256})`],
    [
      /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(bucket.bucket),
      `bucket.bucket must be the name of a bucket (got ${bucket.bucket})`,
    ],
    [/^[a-z0-9-]+$/i.test(bucket.region), `bucket.region must hold letters, digits and hyphens (got ${bucket.region})`],
    [
      bucket.endpoint === undefined || isOrigin(bucket.endpoint),
      `bucket.endpoint must be http(s)://host[:port] (got ${bucket.endpoint})`,
    ],
    [
      plainValue.test(bucket.bucketId) && bucket.bucketId.length >= 8,
      `bucket.bucketId must be 8 or more plain characters (got ${bucket.bucketId})`,
    ],
    [
      plainValue.test(key.accessKeyId) && !key.accessKeyId.includes(":"),
      "key.accessKeyId must hold no blanks, quotes, backslashes or colons",
    ],
    [plainValue.test(key.secretAccessKey), "key.secretAccessKey must hold no blanks, quotes or backslashes"],
    [input.apiTokensSha256.length > 0, "apiTokensSha256 is empty: nobody could use the API"],
    [
      input.apiTokensSha256.every((entry) => tokensEntry.test(entry)),
      "apiTokensSha256 must hold 64 hex digits each, after a name and a colon or alone",
    ],
    [input.heartbeatUrl === undefined || isPlainUrl(input.heartbeatUrl), `heartbeatUrl ${plainUrlRule}`],
    [
      isWhole(input.replicationIntervalMs, 100),
      `replicationIntervalMs must be a whole number >= 100 (got ${input.replicationIntervalMs})`,
    ],
    [settingsKeyRule.test(input.settingsKey), "settingsKey must be 64 hex digits"],
    [isWhole(input.syncsPerMonth, 1), `syncsPerMonth must be a whole number >= 1 (got ${input.syncsPerMonth})`],
    [isWhole(input.retentionHours, 1), `retentionHours must be a whole number >= 1 (got ${input.retentionHours})`],
  ];
  return [...checks.filter(([holds]) => !holds).map(([, fault]) => fault), ...listEdgeFaults(input.edge)];
}

function isWhole(value: number, least: number): boolean {
  return Number.isInteger(value) && value >= least;
}

/** The rule of isPlainUrl in words. */
export const plainUrlRule = "must be http(s)://… without a user name, a password, blanks, quotes or backslashes";

/** Whether a URL can be called by the app and written into the environment file. */
export function isPlainUrl(text: string): boolean {
  const url = plainValue.test(text) ? URL.parse(text) : null;
  return url !== null && /^https?:$/.test(url.protocol) && url.username === "" && url.password === "";
}

/** Whether an endpoint is scheme, host and port only. Anything else would have to be part of signatures. */
export function isOrigin(endpoint: string): boolean {
  const url = URL.parse(endpoint);
  return url !== null && /^https?:$/.test(url.protocol) && (endpoint === url.origin || endpoint === `${url.origin}/`);
}
