import { resolve } from "node:path";

import { EnvironmentReading } from "./environment.ts";
import { readTokensFile } from "./http/live-tokens.ts";
import { parseTokens } from "./http/tokens.ts";
import { machineFiles, type Machine } from "./replica/machine.ts";

export type AppConfig = {
  machine: Machine;
  host: string;
  port: number;
  /** The API tokens, each `<name>:<SHA-256 in hex>` or the digest alone. Empty when they come from a file. */
  tokenDigests: readonly string[];
  /** The file that the tokens come from. */
  tokensFile?: string;
  /** Called while replication is proven. It is a secret: such URLs carry a token. */
  heartbeatUrl?: string;
  logLevel: string;
};

/**
 * Reads, defaults and checks the whole configuration once. Nothing else reads the environment. Throws ConfigFault with
 * all faults together. No message contains a secret value.
 */
export function readConfig(environment: NodeJS.ProcessEnv): AppConfig {
  const read = new Reading(environment);
  const endpoint = read.httpUrl("LIFEBOAT_ENDPOINT");
  const heartbeatUrl = read.httpUrl("LIFEBOAT_HEARTBEAT_URL");
  const scratch = read.optional("LIFEBOAT_SCRATCH_DIR");
  const formerMachineId = read.optional("LIFEBOAT_FORMER_MACHINE_ID");
  const machine: Machine = {
    machineId: read.optional("LIFEBOAT_MACHINE_ID") ?? read.file("/etc/machine-id", "LIFEBOAT_MACHINE_ID"),
    ...(formerMachineId === undefined ? {} : { formerMachineId }),
    bootId: read.optional("LIFEBOAT_BOOT_ID") ?? read.file("/proc/sys/kernel/random/boot_id", "LIFEBOAT_BOOT_ID"),
    files: machineFiles(resolve(read.required("LIFEBOAT_DATA_DIR")), resolve(read.required("LIFEBOAT_RUN_DIR"))),
    bucket: {
      bucket: read.required("LIFEBOAT_BUCKET"),
      region: read.region("LIFEBOAT_REGION"),
      ...(endpoint === undefined ? {} : { endpoint }),
      pathStyle: read.flag("LIFEBOAT_PATH_STYLE", endpoint !== undefined),
      accessKeyId: read.required("LITESTREAM_ACCESS_KEY_ID"),
      secretAccessKey: read.required("LITESTREAM_SECRET_ACCESS_KEY"),
    },
    bucketId: read.required("LIFEBOAT_BUCKET_ID"),
    litestreamPath: read.optional("LIFEBOAT_LITESTREAM") ?? "litestream",
    ...(scratch === undefined ? {} : { scratchDirectory: resolve(scratch) }),
    replicationIntervalMs: read.integer("LIFEBOAT_REPLICATION_INTERVAL_MS", {
      fallback: 1_000,
      least: 100,
      most: 3_600_000,
    }),
    syncsPerMonth: read.integer("LIFEBOAT_SYNCS_PER_MONTH", {
      fallback: 26_000_000,
      least: 1_000_000,
      most: 1_000_000_000,
    }),
    retentionHours: read.integer("LIFEBOAT_RETENTION_HOURS", { fallback: 24, least: 1, most: 8784 }),
    acceptAdvisoryFence: read.flag("LIFEBOAT_ACCEPT_ADVISORY_FENCE", false),
  };
  const config: AppConfig = {
    machine,
    host: read.optional("LIFEBOAT_HOST") ?? "127.0.0.1",
    port: read.integer("LIFEBOAT_PORT", { fallback: 8080, least: 1, most: 65_535 }),
    ...read.tokens("LIFEBOAT_API_TOKENS_SHA256", "LIFEBOAT_API_TOKENS_FILE"),
    ...(heartbeatUrl === undefined ? {} : { heartbeatUrl }),
    logLevel: read.choice("LIFEBOAT_LOG_LEVEL", ["info", "debug", "warn", "error", "silent"]),
  };
  read.throwFaults();
  return Object.freeze(config);
}

class Reading extends EnvironmentReading {
  tokens(name: string, fileName: string): Pick<AppConfig, "tokenDigests" | "tokensFile"> {
    const file = this.optional(fileName);
    if (file === undefined) return { tokenDigests: this.#digests(name) };
    if (this.optional(name) !== undefined) this.fault(`${name} and ${fileName} are both set; keep one of them`);
    const tokensFile = resolve(file);
    this.note(fileName, () => readTokensFile(tokensFile));
    return { tokenDigests: [], tokensFile };
  }

  #digests(name: string): string[] {
    const text = this.required(name);
    const digests = text.split(",").map((digest) => digest.trim());
    if (text !== "") this.note(name, () => parseTokens(digests));
    return digests;
  }
}
