import { epochPrefix } from "./chain.ts";
import type { Machine } from "./machine.ts";

/**
 * The keys of Litestream 0.5.17's configuration that we use, and no others, because Litestream silently ignores unknown
 * keys. Source: cmd/litestream/main.go of that version. Durations are in Litestream's notation (ms, s, m, h).
 */
export type LitestreamConfig = {
  snapshot: { interval: string; retention: string };
  levels: readonly { interval: string }[];
  "l0-retention": string;
  "l0-retention-check-interval": string;
  "verify-compaction": boolean;
  "shutdown-sync-timeout": string;
  socket: { enabled: true; path: string; permissions: number };
  logging: { level: "info" | "warn"; type: "json"; stderr: true };
  dbs: readonly [
    {
      path: string;
      "monitor-interval": string;
      "min-checkpoint-page-count"?: number;
      "truncate-page-n": number;
      replica: LitestreamReplica;
    },
  ];
};

type LitestreamReplica = {
  type: "s3";
  bucket: string;
  path: string;
  region: string;
  endpoint?: string;
  "force-path-style": boolean;
  "sign-payload": true;
  "sync-interval"?: string;
};

/** Chooses Litestream's intervals. The reasons stand beside the numbers. */
function litestreamIntervals({ replicationIntervalMs, retentionHours }: Machine) {
  return {
    // Each tick with changes makes one file, which is one PUT. This interval determines the cost, and bounds the loss
    // of `commit` writes.
    monitor: `${replicationIntervalMs}ms`,
    // Uploads what is staged, without additional PUTs. At 100 ms the worst loss is 1.1 s; two timers of 1 s would make
    // it 2 s (measured).
    sync: `${Math.min(100, replicationIntervalMs)}ms`,
    // A restore fetches each file of level 0, 32 at once, and `bucket` writes make up to fifty a second, so level 1
    // compacts them often. Its files are also the points to which one can go back. It compacts half as often where ticks
    // are rare, because each time costs a PUT and a LIST. The higher levels keep listings short.
    levels: [`${Math.min(60, Math.max(30, (6 * replicationIntervalMs) / 1000))}s`, "10m", "1h"],
    // Files of level 1 live as long as the snapshots, and each compaction lists them all. With 168 h here and 10 s
    // there, the listings alone would cost about $80 a month on AWS. The bucket's versioning keeps history for less.
    retention: `${retentionHours}h`,
    // Litestream enforces the retention when it makes a snapshot, so a shorter retention needs more snapshots.
    snapshot: `${Math.min(24, retentionHours)}h`,
  };
}

/**
 * Renders litestream.yml for one epoch. JSON is valid YAML and needs no quoting of our own. Keys come from the
 * environment.
 */
export function renderLitestreamConfig(machine: Machine, epoch: string): string {
  return `${JSON.stringify(litestreamConfig(machine, epoch), null, 2)}\n`;
}

/** The same as an object, for tests that change a setting. */
export function litestreamConfig(machine: Machine, epoch: string): LitestreamConfig {
  const intervals = litestreamIntervals(machine);
  const { bucket } = machine;
  return {
    snapshot: { interval: intervals.snapshot, retention: intervals.retention },
    levels: intervals.levels.map((interval) => ({ interval })),
    "l0-retention": "5m",
    "l0-retention-check-interval": "5m",
    // It lists the whole level again after each compaction. Inspections compare the content instead.
    "verify-compaction": false,
    "shutdown-sync-timeout": "20s",
    socket: { enabled: true, path: machine.files.litestreamSocket, permissions: 0o600 },
    // Without stderr, log lines would mix into the JSON output of Litestream's commands.
    logging: { level: "info", type: "json", stderr: true },
    dbs: [
      {
        path: machine.files.database,
        "monitor-interval": intervals.monitor,
        // Never: beyond this many pages Litestream makes a checkpoint that blocks writers for as long as a reader holds
        // a snapshot. Its default of 500 MB is below our own limit, which refuses writes cleanly. 0 would mean the
        // default.
        "truncate-page-n": -1,
        replica: { ...replicaOf(bucket, epoch), "sync-interval": intervals.sync },
      },
    ],
  };
}

function replicaOf(bucket: Machine["bucket"], epoch: string): LitestreamReplica {
  return {
    type: "s3",
    bucket: bucket.bucket,
    path: epochPrefix(epoch).slice(0, -1),
    region: bucket.region,
    ...(bucket.endpoint === undefined ? {} : { endpoint: bucket.endpoint }),
    "force-path-style": bucket.pathStyle,
    "sign-payload": true,
  };
}

/** Renders litestream.yml for a restore of an epoch from the bucket. */
export function renderBucketConfig({ files, bucket }: Pick<Machine, "files" | "bucket">, epoch: string): string {
  return renderRestoreConfig(files.database, replicaOf(bucket, epoch));
}

/** Renders litestream.yml for a restore from a folder of files. */
export function renderStagedConfig({ files }: Pick<Machine, "files">, folder: string): string {
  return renderRestoreConfig(files.database, { type: "file", path: folder });
}

function renderRestoreConfig(path: string, replica: LitestreamReplica | { type: "file"; path: string }): string {
  const logging = { level: "info", type: "json", stderr: true };
  return `${JSON.stringify({ logging, dbs: [{ path, replica }] }, null, 2)}\n`;
}

/** The environment for Litestream. AWS_CA_BUNDLE is removed: with it every S3 call of 0.5.17 fails at start. */
export function litestreamEnvironment(machine: Pick<Machine, "bucket">): NodeJS.ProcessEnv {
  const { AWS_CA_BUNDLE: _unused, ...environment } = process.env;
  return {
    ...environment,
    LITESTREAM_ACCESS_KEY_ID: machine.bucket.accessKeyId,
    LITESTREAM_SECRET_ACCESS_KEY: machine.bucket.secretAccessKey,
    AWS_ACCESS_KEY_ID: machine.bucket.accessKeyId,
    AWS_SECRET_ACCESS_KEY: machine.bucket.secretAccessKey,
  };
}
