import { readFileSync } from "node:fs";
import { resolve } from "node:path";

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

/** The environment does not describe a machine. The message lists every fault. */
export class ConfigFault extends Error {
  override readonly name = "ConfigFault";
}

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

class Reading {
  readonly #environment: NodeJS.ProcessEnv;
  readonly #faults: string[] = [];

  constructor(environment: NodeJS.ProcessEnv) {
    this.#environment = environment;
  }

  optional(name: string): string | undefined {
    const value = this.#environment[name]?.trim();
    return value === "" ? undefined : value;
  }

  required(name: string): string {
    const value = this.optional(name);
    if (value === undefined) this.#faults.push(`${name} is missing`);
    return value ?? "";
  }

  // A store whose URL is invalid would look like one that is down, and boot would wait for it forever.
  httpUrl(name: string): string | undefined {
    const value = this.optional(name);
    if (value === undefined) return undefined;
    const url = URL.parse(value);
    // The value may contain or be a password, so it is not repeated.
    if (url === null || !/^https?:$/.test(url.protocol))
      this.#faults.push(`${name} must start with https:// or http://`);
    else if (url.username !== "" || url.password !== "")
      this.#faults.push(`${name} must hold no user name or password`);
    return value;
  }

  region(name: string): string {
    const value = this.required(name);
    if (value !== "" && !/^[a-z0-9-]+$/i.test(value))
      this.#faults.push(`${name} must hold letters, digits and hyphens (got ${value})`);
    return value;
  }

  /** An id that the system keeps. In an image that was never started it is empty, and all copies would share it. */
  file(path: string, instead: string): string {
    try {
      const value = readFileSync(path, "utf8").trim();
      if (value !== "" && value !== "uninitialized") return value;
      this.#faults.push(`${instead} is missing and ${path} holds no id`);
    } catch (error) {
      const cause = error instanceof Error ? error.message : String(error);
      this.#faults.push(`${instead} is missing and ${path} cannot be read (${cause})`);
    }
    return "";
  }

  flag(name: string, fallback: boolean): boolean {
    const value = this.optional(name) ?? String(fallback);
    if (value !== "true" && value !== "false") this.#faults.push(`${name} must be true or false (got ${value})`);
    return value === "true";
  }

  integer(name: string, limits: { fallback: number; least: number; most: number }): number {
    const text = this.optional(name) ?? String(limits.fallback);
    const value = Number(text);
    if (Number.isInteger(value) && value >= limits.least && value <= limits.most) return value;
    this.#faults.push(`${name} must be a whole number from ${limits.least} to ${limits.most} (got ${text})`);
    return limits.fallback;
  }

  choice(name: string, choices: readonly [string, ...string[]]): string {
    const value = this.optional(name) ?? choices[0];
    if (!choices.includes(value)) this.#faults.push(`${name} must be one of ${choices.join(", ")} (got ${value})`);
    return value;
  }

  tokens(name: string, fileName: string): Pick<AppConfig, "tokenDigests" | "tokensFile"> {
    const file = this.optional(fileName);
    if (file === undefined) return { tokenDigests: this.#digests(name) };
    if (this.optional(name) !== undefined) this.#faults.push(`${name} and ${fileName} are both set; keep one of them`);
    const tokensFile = resolve(file);
    this.#note(fileName, () => readTokensFile(tokensFile));
    return { tokenDigests: [], tokensFile };
  }

  #digests(name: string): string[] {
    const text = this.required(name);
    const digests = text.split(",").map((digest) => digest.trim());
    if (text !== "") this.#note(name, () => parseTokens(digests));
    return digests;
  }

  #note(name: string, check: () => unknown): void {
    try {
      check();
    } catch (error) {
      this.#faults.push(`${name}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  throwFaults(): void {
    if (this.#faults.length > 0) throw new ConfigFault(`config: ${this.#faults.join("; ")}`);
  }
}
