import { epochPrefix } from "./chain.ts";
import type { Machine } from "./machine.ts";

/**
 * The keys of Litestream 0.5.17's configuration that we use, and no others: Litestream ignores unknown keys in silence.
 * Source: cmd/litestream/main.go of that version. Durations in Litestream's notation (ms, s, m, h).
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
  "sync-interval": string;
};

/** Chooses Litestream's intervals; the reasons stand beside the numbers. */
function litestreamIntervals({ replicationIntervalMs, retentionHours }: Machine) {
  return {
    // Each tick with changes makes one file, that is one PUT: this interval is what costs money, and bounds the loss of
    // `commit` writes.
    monitor: `${replicationIntervalMs}ms`,
    // Uploads what is staged. Costs no PUT of its own; at 100 ms the worst loss is 1.1 s where two timers of 1 s would
    // make it 2 s (measured).
    sync: `${Math.min(100, replicationIntervalMs)}ms`,
    // A restore costs about 1.9 ms a file of level 0 (measured), and `bucket` writes make ten a second at most, so level
    // 1 gathers them often; half as often where ticks are rare, for each time costs a PUT and a LIST. The higher levels
    // keep listings short.
    levels: [`${Math.min(60, Math.max(30, (6 * replicationIntervalMs) / 1000))}s`, "10m", "1h"],
    // Files of level 1 live as long as the snapshots, and each compaction lists them all: with 168 h here and 10 s
    // there the listings alone would cost about $80 a month on AWS. The bucket's versioning keeps more history for
    // less.
    retention: `${retentionHours}h`,
    // Litestream looks at the retention whenever it makes a snapshot, so a shorter one needs more of them.
    snapshot: `${Math.min(24, retentionHours)}h`,
  };
}

/**
 * Renders litestream.yml for one epoch. JSON is YAML, so nothing needs quoting rules of ours. Keys come from the
 * environment.
 */
export function renderLitestreamConfig(machine: Machine, epoch: string): string {
  return `${JSON.stringify(litestreamConfig(machine, epoch), null, 2)}\n`;
}

/** The same as a value, for tests that change a setting on purpose. */
export function litestreamConfig(machine: Machine, epoch: string): LitestreamConfig {
  const intervals = litestreamIntervals(machine);
  const { bucket } = machine;
  return {
    snapshot: { interval: intervals.snapshot, retention: intervals.retention },
    levels: intervals.levels.map((interval) => ({ interval })),
    "l0-retention": "5m",
    "l0-retention-check-interval": "5m",
    // It lists the whole level once more after each compaction; `verify` compares content instead.
    "verify-compaction": false,
    "shutdown-sync-timeout": "20s",
    socket: { enabled: true, path: machine.files.litestreamSocket, permissions: 0o600 },
    // Without stderr, log lines would mix into the JSON that its commands print.
    logging: { level: "info", type: "json", stderr: true },
    dbs: [
      {
        path: machine.files.database,
        "monitor-interval": intervals.monitor,
        // Never: from this many pages on Litestream makes a checkpoint that blocks writers for as long as a reader holds
        // a snapshot. Its default of 500 MB lies below our own limit, which refuses cleanly. 0 would mean the default.
        "truncate-page-n": -1,
        replica: {
          type: "s3",
          bucket: bucket.bucket,
          path: epochPrefix(epoch).slice(0, -1),
          region: bucket.region,
          ...(bucket.endpoint === undefined ? {} : { endpoint: bucket.endpoint }),
          "force-path-style": bucket.pathStyle,
          "sign-payload": true,
          "sync-interval": intervals.sync,
        },
      },
    ],
  };
}

/** The environment for Litestream. AWS_CA_BUNDLE is left out: with it every S3 call of 0.5.17 fails at start. */
export function litestreamEnvironment(machine: Machine): NodeJS.ProcessEnv {
  const { AWS_CA_BUNDLE: _unused, ...environment } = process.env;
  return {
    ...environment,
    LITESTREAM_ACCESS_KEY_ID: machine.bucket.accessKeyId,
    LITESTREAM_SECRET_ACCESS_KEY: machine.bucket.secretAccessKey,
    AWS_ACCESS_KEY_ID: machine.bucket.accessKeyId,
    AWS_SECRET_ACCESS_KEY: machine.bucket.secretAccessKey,
  };
}
