import { createHash } from "node:crypto";
import { join } from "node:path";

import type { BucketConfig } from "../../app/replica/s3-client.ts";
import type { AppBundle } from "../build/bundle-app.ts";
import type { Units } from "./supervisor.ts";

/** Where a machine of this computer keeps what it has. */
export type MachineDirectories = Readonly<{ home: string; data: string; run: string; logs: string }>;

// A Unix socket's path has room for 107 bytes on Linux, and Litestream's lies in the run directory.
const socketPathLimit = 107;

/** Whether the name of a run directory leaves room for the socket. */
export function hasSocketRoom(run: string): boolean {
  return Buffer.byteLength(socketIn(run)) <= socketPathLimit;
}

/** Throws where it leaves none. */
export function requireSocketRoom({ run }: Pick<MachineDirectories, "run">): void {
  if (!hasSocketRoom(run))
    throw new Error(`${socketIn(run)} is too long for a socket; set TMPDIR to a directory with a shorter name`);
}

function socketIn(run: string): string {
  return join(run, "litestream.sock");
}

type Programs = Readonly<{
  litestream: string;
  app: Pick<AppBundle, "boot" | "main">;
  /** The Node that runs them; left out, it is the one that runs us. */
  node?: string;
}>;

/** What runs on a machine, in the order in which it stops: boot, and then the app and Litestream. */
export function listUnits({ data, run }: MachineDirectories, programs: Programs): Units {
  const { litestream, app, node = process.execPath } = programs;
  const lock = ["--nonblock", "--no-fork", join(data, "litestream.lock")];
  const replicate = [litestream, "replicate", "-config", join(run, "litestream.yml"), "-no-expand-env"];
  return {
    oneshot: { name: "boot", command: { file: node, words: [app.boot] } },
    services: [
      { name: "app", command: { file: node, words: [app.main] } },
      { name: "litestream", command: { file: "flock", words: [...lock, ...replicate] } },
    ],
  };
}

// Certificates and proxies matter for a store elsewhere; nothing else of the caller's environment may leak in.
const passedOn = ["PATH", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS", "HTTPS_PROXY", "NO_PROXY"];

type Settings = Readonly<{
  litestream: string;
  bucket: BucketConfig;
  bucketId: string;
  token: string;
  port: number;
  machineId: string;
  /** Left out, it is that of this computer's operating system. */
  bootId?: string;
}>;

/** What the programs of a machine are told. */
export function environmentOf({ home, data, run }: MachineDirectories, settings: Settings): Record<string, string> {
  const inherited = passedOn.flatMap((name) => {
    const value = process.env[name];
    return value === undefined ? [] : [[name, value]];
  });
  const { bucket, bootId } = settings;
  return {
    ...Object.fromEntries(inherited),
    HOME: home,
    LIFEBOAT_DATA_DIR: data,
    LIFEBOAT_RUN_DIR: run,
    LIFEBOAT_BUCKET: bucket.bucket,
    LIFEBOAT_REGION: bucket.region,
    ...(bucket.endpoint !== undefined && { LIFEBOAT_ENDPOINT: bucket.endpoint }),
    LIFEBOAT_PATH_STYLE: String(bucket.pathStyle),
    LIFEBOAT_BUCKET_ID: settings.bucketId,
    LITESTREAM_ACCESS_KEY_ID: bucket.accessKeyId,
    LITESTREAM_SECRET_ACCESS_KEY: bucket.secretAccessKey,
    LIFEBOAT_MACHINE_ID: settings.machineId,
    ...(bootId !== undefined && { LIFEBOAT_BOOT_ID: bootId }),
    LIFEBOAT_LITESTREAM: settings.litestream,
    LIFEBOAT_API_TOKENS_SHA256: createHash("sha256").update(settings.token).digest("hex"),
    LIFEBOAT_HOST: "127.0.0.1",
    LIFEBOAT_PORT: String(settings.port),
    LIFEBOAT_LOG_LEVEL: "info",
  };
}
