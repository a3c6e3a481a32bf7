import { randomBytes } from "node:crypto";
import { mkdtempSync } from "node:fs";
import { readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

import { ListBucketsCommand, S3Client } from "@aws-sdk/client-s3";

import { waitFor, within } from "../../app/cli/wait-for.ts";
import { resolveBinary } from "../build/resolve-binary.ts";
import { findFreePorts } from "./free-ports.ts";
import { type Leftovers, sharedLeftovers } from "./leftovers.ts";
import { type ProcessGroup, startProcessGroup } from "./process-group.ts";

export type StoreAccess = Readonly<{
  endpoint: string;
  region: string;
  pathStyle: boolean;
  accessKeyId: string;
  secretAccessKey: string;
}>;

export type SeaweedStore = AsyncDisposable &
  Readonly<{ access: StoreAccess; directory: string; sockets: readonly string[] }>;

/**
 * `iamApi`: users, policies and keys can be made on the S3 port and are enforced. `flags`: additional arguments for
 * `weed mini`, such as those of a TLS port.
 */
export type SeaweedStoreOptions = Readonly<{
  leftovers?: Leftovers;
  directory?: string;
  keep?: boolean;
  iamApi?: boolean;
  flags?: readonly string[];
  /** The keys of a store whose directory is reused. Default: random ones. */
  keys?: StoreKeys;
}>;

export type StoreKeys = Pick<StoreAccess, "accessKeyId" | "secretAccessKey">;

/** New random keys. */
export function makeStoreKeys(): StoreKeys {
  return { accessKeyId: randomBytes(10).toString("hex"), secretAccessKey: randomBytes(20).toString("hex") };
}

const listeners = ["s3", "master", "filer", "volume", "admin"] as const;
type Ports = Readonly<Record<(typeof listeners)[number], { http: number; grpc: number }>>;

const startLimitMs = 20_000;
const attemptLimit = 3;

/**
 * Starts SeaweedFS as an S3 server on 127.0.0.1, with random keys, and waits until it answers a signed request. Its
 * filer port serves every object without a signature, so it must never listen on another address. Disposing kills it
 * and removes its directory. Throws with the server's last messages when it does not start.
 */
export async function startSeaweedStore(options: SeaweedStoreOptions = {}): Promise<SeaweedStore> {
  const { leftovers = sharedLeftovers(), keep = false } = options;
  const flags = [`-s3.iam.readOnly=${options.iamApi !== true}`, ...(options.flags ?? [])];
  const file = await resolveBinary("weed");
  const directory = options.directory ?? mkdtempSync(join(resolve(tmpdir()), "lifeboat-store-"));
  if (!keep) leftovers.addPath(directory);
  for (let attempt = 1; ; attempt += 1) {
    const server = await startServer(file, { directory, leftovers, flags, keys: options.keys ?? makeStoreKeys() });
    try {
      await waitUntilReady(server);
      const { access, sockets } = server;
      return { access, directory, sockets, [Symbol.asyncDispose]: () => endServer(server, keep) };
    } catch (cause) {
      await endServer(server, true);
      if (attempt === attemptLimit) throw cause;
    }
  }
}

type Place = Readonly<{ directory: string; leftovers: Leftovers; flags: readonly string[]; keys: StoreKeys }>;
type Server = Place & Readonly<{ group: ProcessGroup; access: StoreAccess; sockets: string[]; logFile: string }>;

async function startServer(file: string, place: Place): Promise<Server> {
  const { directory, leftovers, flags, keys } = place;
  const ports = await choosePorts();
  const { accessKeyId, secretAccessKey } = keys;
  const logFile = join(directory, "weed.log");
  const sockets = namesOfSockets(ports);
  for (const socket of sockets) leftovers.addPath(socket);
  const group = startProcessGroup(
    { file, words: [...seaweedArguments(directory, ports), ...flags] },
    {
      environment: { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey, TMPDIR: directory },
      directory,
      logFile,
      leftovers,
    },
  );
  const endpoint = `http://127.0.0.1:${ports.s3.http}`;
  const access = { endpoint, region: "us-east-1", pathStyle: true, accessKeyId, secretAccessKey };
  return { ...place, group, access, sockets, logFile };
}

async function choosePorts(): Promise<Ports> {
  const free = await findFreePorts(listeners.length * 2);
  const take = () => ({ http: free.pop() ?? 0, grpc: free.pop() ?? 0 });
  return { s3: take(), master: take(), filer: take(), volume: take(), admin: take() };
}

/** The command line of `weed mini` 4.48: all listeners on loopback, no telemetry, nothing created automatically. */
function seaweedArguments(directory: string, ports: Ports): string[] {
  const listening = listeners.flatMap((name) => [
    `-${name}.port=${ports[name].http}`,
    `-${name}.port.grpc=${ports[name].grpc}`,
  ]);
  return [
    `-logdir=${directory}`,
    "mini",
    `-dir=${directory}`,
    "-ip=127.0.0.1",
    "-ip.bind=127.0.0.1",
    ...listening,
    "-s3.port.iceberg=0",
    "-s3.port.lance=0",
    "-s3.autoCreateBucket=false",
    "-master.telemetry=false",
    // The default depends on the free disk space, and on a small disk a few buckets use up all volumes.
    "-volume.max=1000",
    "-admin.ui=false",
    "-webdav=false",
  ];
}

// SeaweedFS puts them into /tmp whatever TMPDIR says, and leaves them there.
function namesOfSockets(ports: Ports): string[] {
  const grpc = listeners.map((name) => `/tmp/seaweedfs-${name}-grpc-${ports[name].grpc}.sock`);
  return [...grpc, `/tmp/seaweedfs-filer-${ports.filer.http}.sock`, `/tmp/seaweedfs-s3-${ports.s3.http}.sock`];
}

async function waitUntilReady({ access, group, logFile }: Server): Promise<void> {
  const { accessKeyId, secretAccessKey, pathStyle, ...place } = access;
  const client = new S3Client({
    ...place,
    forcePathStyle: pathStyle,
    credentials: { accessKeyId, secretAccessKey },
    maxAttempts: 1,
    requestHandler: { requestTimeout: 2000, throwOnRequestTimeout: true },
  });
  const gone = group.exited.then(async ({ code }): Promise<never> => {
    const lastWords = (await readFile(logFile, "utf8")).slice(-2000);
    throw new Error(`SeaweedFS ended with ${code} instead of starting; its last words:\n${lastWords}`);
  });
  const ready = waitFor("SeaweedFS to answer", () => client.send(new ListBucketsCommand()), {
    timeoutMs: startLimitMs,
  });
  try {
    await Promise.race([ready, gone]);
  } finally {
    gone.catch(() => null);
    ready.catch(() => null);
    client.destroy();
  }
}

async function endServer({ group, directory, sockets, leftovers }: Server, keep: boolean): Promise<void> {
  // A store that is kept is stopped in order.
  if (keep) {
    group.signal("SIGTERM");
    await within("a clean end of SeaweedFS", 5_000, group.exited).catch(() => undefined);
  }
  group.signal("SIGKILL");
  await within("the end of SeaweedFS", 10_000, group.exited);
  const paths = keep ? sockets : [...sockets, directory];
  await Promise.all(paths.map((path) => rm(path, { recursive: true, force: true, maxRetries: 5 })));
  for (const path of paths) leftovers.forgetPath(path);
}
