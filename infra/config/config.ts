import * as pulumi from "@pulumi/pulumi";

import { platformOf } from "../../cloud-init/built-release.ts";
import { locations } from "../../cloud-init/locations.ts";
import { isPlainUrl, nameOfStack, plainUrlRule } from "../../cloud-init/user-data-input.ts";
import { machinePolicy, userPolicyLimit } from "../policies/access-policy.ts";
import { findTokensFault } from "./api-tokens.ts";
import { ConfigReading } from "./config-reading.ts";
import { type DomainConfig, readDomain } from "./domain-config.ts";
import { type StoreConfig, readStore } from "./store-config.ts";

type Filesystem = "ext4" | "btrfs";

export type InfraConfig = DomainConfig & {
  /** Names everything at Hetzner. Unique in its project, because stacks are. */
  name: string;
  /** project/stack, the owner that the bucket's sentinel names. */
  owner: string;
  location: string;
  serverType: string;
  serverTypeFallbacks: readonly string[];
  image: string;
  volumeSizeGb: number;
  filesystem: Filesystem;
  protectData: boolean;
  /** Empty: nobody logs in by SSH. */
  adminCidrs: readonly string[];
  sshKeys: readonly string[];
  rebuild: number;
  store: StoreConfig;
  /** Undefined: whatever the bucket's sentinel says, if this stack made the bucket. */
  bucketId: string | undefined;
  keyGeneration: number;
  /** Any change of it makes another key for the settings that come by the bucket. */
  settingsKeyGeneration: number;
  /** The machine's bucket key works from every network, not only from its own address and the administrators'. */
  keyFromAnywhere: boolean;
  /** Whether there is a key by which CI deploys. */
  deployKey: boolean;
  replicationIntervalMs: number;
  syncsPerMonth: number;
  retentionHours: number;
  apiTokens: pulumi.Output<string>;
  /** Called by the machine while replication is proven. */
  heartbeatUrl: pulumi.Output<string> | undefined;
  /** All settings that are not secret, by their path. */
  settings: Readonly<Record<string, string>>;
};

/** The part that says where the data is. */
export type DataConfig = Pick<InfraConfig, "name" | "store">;

const images = ["debian-13", "debian-12"] as const;
const filesystems = ["ext4", "btrfs"] as const;

/**
 * Reads, defaults and checks the stack's configuration. Nothing else reads it. Throws pulumi.RunError that lists every
 * fault.
 */
export function readConfig(): InfraConfig {
  const read = new ConfigReading(new pulumi.Config());
  const serverType = read.pattern("serverType", /^[a-z]+[0-9]+$/, "cx33");
  const domain = readDomain(read);
  const config = {
    owner: `${pulumi.getProject()}/${pulumi.getStack()}`,
    location: read.choice("location", locations),
    serverType,
    serverTypeFallbacks: readFallbacks(read, serverType),
    image: read.choice("image", images),
    volumeSizeGb: read.integer("volumeSizeGb", { fallback: 10, least: 10, most: 10_240 }),
    filesystem: read.choice("filesystem", filesystems),
    protectData: read.flag("protectData", true),
    ...domain,
    adminCidrs: readAdminCidrs(read, domain),
    sshKeys: readSshKeys(read),
    rebuild: read.integer("rebuild", { fallback: 0, least: 0, most: 1_000_000 }),
    ...readDataPlace(read),
    bucketId: read.optional("bucketId"),
    keyFromAnywhere: read.flag("keyFromAnywhere", false),
    ...readGenerations(read),
    deployKey: read.flag("deployKey", false),
    ...readReplication(read),
    apiTokens: read.secret(
      "apiTokens",
      findTokensFault,
      'pulumi config set --secret apiTokens "$(openssl rand -hex 32)"',
    ),
    heartbeatUrl: read.optionalSecret("heartbeatUrl", (url) => (isPlainUrl(url) ? null : plainUrlRule)),
  };
  if (config.store.kind === "given" && config.deployKey) {
    read.fault(
      "deployKey: a given store has no IAM; make a key there by hand, as docs/guide/deploys.md says, and leave deployKey out",
    );
  }
  if (config.store.kind === "aws" && !config.keyFromAnywhere) {
    // The account number at the end of the default name has twelve digits.
    demandShortPolicy(read, config.store.bucket ?? `${config.name}-123456789012`, config.adminCidrs);
  }
  // It becomes a host name and the value of a label.
  if (!/^[a-z0-9]([a-z0-9-]{0,48}[a-z0-9])?$/.test(config.name)) {
    read.fault(
      `project and stack together must be at most 50 letters, digits and hyphens between (got ${config.name})`,
    );
  }
  // The provider would report this too, but in ten lines, and not together with the rest.
  if (new pulumi.Config("hcloud").get("token") === undefined && (process.env["HCLOUD_TOKEN"] ?? "") === "") {
    read.fault("hcloud:token is missing: pulumi config set --secret hcloud:token");
  }
  read.throwFaults();
  return Object.freeze({ ...config, settings: read.settings() });
}

function readReplication(read: ConfigReading) {
  return {
    replicationIntervalMs: read.integer("replicationIntervalMs", { fallback: 1000, least: 100, most: 3_600_000 }),
    syncsPerMonth: read.integer("syncsPerMonth", { fallback: 26_000_000, least: 1_000_000, most: 1_000_000_000 }),
    retentionHours: read.integer("retentionHours", { fallback: 24, least: 1, most: 8784 }),
  };
}

/**
 * Reads and checks only what says where the data is. Other faults do not matter here. Throws pulumi.RunError that lists
 * every fault.
 */
export function readDataConfig(): DataConfig {
  const read = new ConfigReading(new pulumi.Config());
  const config = readDataPlace(read);
  read.throwFaults();
  return config;
}

function readDataPlace(read: ConfigReading): DataConfig {
  return { name: nameOfStack(pulumi.getProject(), pulumi.getStack()), store: readStore(read) };
}

// A machine of another architecture would need another image and another release.
function readFallbacks(read: ConfigReading, serverType: string): string[] {
  const fallbacks = read.list("serverTypeFallbacks");
  for (const type of fallbacks.filter((other) => platformOf(other) !== platformOf(serverType))) {
    read.fault(`serverTypeFallbacks: ${type} has another processor architecture than ${serverType}`);
  }
  return fallbacks;
}

function readGenerations(read: ConfigReading): Pick<InfraConfig, "keyGeneration" | "settingsKeyGeneration"> {
  const generation = { fallback: 1, least: 1, most: 1_000_000 };
  return {
    keyGeneration: read.integer("keyGeneration", generation),
    settingsKeyGeneration: read.integer("settingsKeyGeneration", generation),
  };
}

function readAdminCidrs(read: ConfigReading, { domain }: DomainConfig): string[] {
  const cidrs = read.list("adminCidrs");
  if (cidrs.length === 0 && domain === "none") {
    read.fault(
      'adminCidrs is missing: with domain none nobody else reaches the machine; pulumi config set --path "adminCidrs[0]" "$(curl -4s ifconfig.me)/32"',
    );
  }
  for (const cidr of cidrs.filter((text) => !isCidr(text)))
    read.fault(`adminCidrs: ${cidr} is no network such as 203.0.113.7/32`);
  const world = cidrs.filter((cidr) => isCidr(cidr) && isWorldCidr(cidr));
  if (world.length > 0 && !read.flag("adminFromAnywhere", false)) {
    read.fault(
      `adminCidrs: ${world.join(" and ")} opens SSH to everybody; if that is wanted, also set adminFromAnywhere to true`,
    );
  }
  return cidrs;
}

// Each one appears three times in the policy of the machine's key.
function demandShortPolicy(read: ConfigReading, bucket: string, adminCidrs: readonly string[]): void {
  const longest = machinePolicy(bucket, ["255.255.255.255/32", ...adminCidrs]);
  if (JSON.stringify(longest).length <= userPolicyLimit) return;
  read.fault(
    `adminCidrs: ${adminCidrs.length} networks are too many for the policy of the machine's key, which AWS limits to ${userPolicyLimit} characters: ` +
      "join some, or set keyFromAnywhere to true",
  );
}

function isCidr(text: string): boolean {
  const [address = "", bits = "", ...rest] = text.split("/");
  if (rest.length > 0 || !/^[0-9]{1,3}$/.test(bits)) return false;
  const isV6 = address.includes(":");
  if (URL.parse(isV6 ? `http://[${address}]` : `http://${address}`) === null) return false;
  return isV6 ? Number(bits) <= 128 : /^[0-9]+(\.[0-9]+){3}$/.test(address) && Number(bits) <= 32;
}

function readSshKeys(read: ConfigReading): string[] {
  const keys = read.list("sshKeys");
  if (keys.length === 0) {
    read.fault('sshKeys is missing: pulumi config set --path "sshKeys[0]" "$(cat ~/.ssh/id_ed25519.pub)"');
  }
  return keys;
}

// The largest network that one organization has; whatever is larger is a good part of the world.
const leastBits = { v4: 8, v6: 16 };

/** Whether a network in CIDR notation is, or holds, so much of the internet that nobody can mean it. */
function isWorldCidr(cidr: string): boolean {
  const [address = "", bits = ""] = cidr.split("/");
  return Number(bits) < (address.includes(":") ? leastBits.v6 : leastBits.v4);
}
