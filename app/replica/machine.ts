import { join } from "node:path";

import type { BucketConfig } from "./s3-client.ts";

/** Where everything lies on a machine: data that reboots keep, and run files that each boot writes anew. */
export type MachineFiles = ReturnType<typeof machineFiles>;

/** One machine as boot and the app see it. Times in milliseconds. */
export type Machine = {
  /** The provider's id of the server where it has one: what the disk says, a server made from its image says too. */
  machineId: string;
  /** What older releases called it. */
  formerMachineId?: string;
  /** Changes with every start of the operating system: tells a process crash from a power loss. */
  bootId: string;
  files: MachineFiles;
  bucket: BucketConfig;
  /** The id that the sentinel must carry. */
  bucketId: string;
  litestreamPath: string;
  /** Of this machine alone, on another disk: there a replica is compared when the data directory has no room for it. */
  scratchDirectory?: string;
  replicationIntervalMs: number;
  /** How far back Litestream can restore. */
  retentionHours: number;
  /** Accept `bucket` writes on a store without compare-and-swap, where the fence is only advisory. */
  acceptAdvisoryFence: boolean;
};

/** Names the files of a machine under its data and its run directory. */
export function machineFiles(dataDirectory: string, runDirectory: string) {
  return {
    dataDirectory,
    runDirectory,
    database: join(dataDirectory, "app.db"),
    /** Litestream 0.5 keeps its staged files here unless told otherwise. */
    litestreamState: join(dataDirectory, ".app.db-litestream"),
    mark: join(dataDirectory, "mark.json"),
    lock: join(dataDirectory, "lifeboat.lock"),
    litestreamLock: join(dataDirectory, "litestream.lock"),
    restored: join(dataDirectory, "restored"),
    quarantine: join(dataDirectory, "quarantine"),
    litestreamConfig: join(runDirectory, "litestream.yml"),
    restoreConfig: join(runDirectory, "restore.yml"),
    litestreamSocket: join(runDirectory, "litestream.sock"),
    /** How far a life has come in the bucket; the run directory is none of the disk's, so it is not put back with it. */
    replicated: join(runDirectory, "replicated.json"),
    bootReport: join(runDirectory, "boot-report.json"),
    tokensReport: join(runDirectory, "tokens-report"),
  };
}
