import { join } from "node:path";

import type { BucketConfig } from "./s3-client.ts";

/** The paths on a machine: data that survives reboots, and run files that each boot writes again. */
export type MachineFiles = ReturnType<typeof machineFiles>;

/** One machine as boot and the app see it. Times in milliseconds. */
export type Machine = {
  /**
   * The provider's id of the server where there is one. An id on the disk would be copied to servers made from its
   * image.
   */
  machineId: string;
  /** The name that older releases gave it. */
  formerMachineId?: string;
  /** Changes with every start of the operating system: distinguishes a process crash from a power loss. */
  bootId: string;
  files: MachineFiles;
  bucket: BucketConfig;
  /** The id that the sentinel must carry. */
  bucketId: string;
  litestreamPath: string;
  /**
   * A directory of this machine only, on another disk. A replica is compared there when the data directory has no room
   * for it.
   */
  scratchDirectory?: string;
  replicationIntervalMs: number;
  /** How many shared syncs for `bucket` writes a month may cost: each is one PUT and one GET. */
  syncsPerMonth: number;
  /** How far back Litestream can restore. */
  retentionHours: number;
  /** Accept `bucket` writes on a store without compare-and-swap, where the fence is only advisory. */
  acceptAdvisoryFence: boolean;
};

/** Names the files of a machine in its data and its run directory. */
export function machineFiles(dataDirectory: string, runDirectory: string) {
  return {
    dataDirectory,
    runDirectory,
    database: join(dataDirectory, "app.db"),
    /** Where Litestream 0.5 keeps its staged files by default. */
    litestreamState: join(dataDirectory, ".app.db-litestream"),
    mark: join(dataDirectory, "mark.json"),
    lock: join(dataDirectory, "lifeboat.lock"),
    /** What this machine can do at most. It holds no data. */
    bounds: join(dataDirectory, "bounds.json"),
    litestreamLock: join(dataDirectory, "litestream.lock"),
    restored: join(dataDirectory, "restored"),
    quarantine: join(dataDirectory, "quarantine"),
    incoming: join(dataDirectory, "incoming.db"),
    restoreOrder: join(dataDirectory, "restore-order.json"),
    litestreamConfig: join(runDirectory, "litestream.yml"),
    restoreConfig: join(runDirectory, "restore.yml"),
    litestreamSocket: join(runDirectory, "litestream.sock"),
    /**
     * How far a run has come in the bucket. Kept in the run directory, so that it is not restored together with an old
     * disk.
     */
    replicated: join(runDirectory, "replicated.json"),
    bootReport: join(runDirectory, "boot-report.json"),
    /** What the app carried lately, for who has no token. */
    loadReport: join(runDirectory, "load.json"),
    tokensReport: join(runDirectory, "tokens-report"),
  };
}
