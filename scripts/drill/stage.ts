import { randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

import type { Transcript } from "../../app/cli/transcript.ts";
import { appSources, bundleApp } from "../build/bundle-app.ts";
import { manifest } from "../build/manifest.ts";
import { readLitestreamVersion, resolveBinary } from "../build/resolve-binary.ts";
import { readOwnSqliteVersion } from "../build/sqlite-bound.ts";
import { type PreparedBucket, prepareBucket, removeBucket } from "../local/bucket-preparation.ts";
import { openDistance } from "../local/distance.ts";
import type { Leftovers } from "../local/leftovers.ts";
import {
  type SeaweedStore,
  type SeaweedStoreOptions,
  type StoreAccess,
  startSeaweedStore,
} from "../local/seaweed-store.ts";
import type { DrillOptions } from "./arguments.ts";
import type { DrillMachine } from "./drill-machine.ts";
import { Ledger } from "./ledger.ts";
import type { Site } from "./machine.ts";
import { type Random, seedRandom } from "./random.ts";

/** What the scenes of the drill need, in whatever room. */
export type Scene = Readonly<{
  options: DrillOptions;
  transcript: Transcript;
  random: Random;
  ledger: Ledger;
  /** The machine of the current step. When the step fails, its log is printed. */
  spotlight: { machine: DrillMachine | null };
  /** How many times slower than a process a machine is: clients write for so much longer. */
  slowness: number;
}>;

/** The process room. */
export type Stage = Scene & Readonly<{ site: Site }>;

export type StageOptions = Readonly<{ options: DrillOptions; transcript: Transcript; leftovers: Leftovers }>;

/** The versions of what the drill rehearses with. */
export function readVersions({ store }: DrillOptions): Record<string, string> {
  const storeVersion = store === null ? { seaweedfs: manifest.weed.version } : { store: store.endpoint };
  const sqlite = readOwnSqliteVersion();
  return { node: process.version.slice(1), sqlite, litestream: readLitestreamVersion(), ...storeVersion };
}

/** Prepares a drill: a directory, a store, a bucket with its sentinel. Disposing removes all of it. */
export async function openStage({ options, transcript, leftovers }: StageOptions): Promise<Stage & AsyncDisposable> {
  await using made = new AsyncDisposableStack();
  const directory = makeDirectory(options, leftovers);
  made.defer(() => removeDirectory(directory, { options, transcript, leftovers }));
  const litestream = await resolveBinary("litestream");
  const bundling = bundleApp(appSources, join(directory, "app"));
  const bundled = Promise.allSettled([bundling]);
  made.defer(() => bundled.then(() => undefined)); // It writes into the directory, so it must end before that goes.
  const store = made.use(await openStore(options, { transcript, directory, leftovers }));
  const bucket = await transcript.step(
    "bucket and sentinel are made",
    () => prepareBucket(store.access, options.store?.bucket ?? null),
    ({ config }) => config.bucket,
  );
  if (options.store) {
    // An interrupted drill has no time to ask the store for anything.
    const tell = () => process.stderr.write(`left behind: bucket ${bucket.config.bucket} in the store; delete it\n`);
    process.once("exit", tell);
    made.defer(() => void process.removeListener("exit", tell));
    made.defer(() => leaveStore(bucket, { options, transcript }));
  }
  const app = await transcript.step(
    "the app is bundled",
    () => bundling,
    () => "what runs is what a release holds",
  );
  const token = randomBytes(24).toString("base64url");
  const { config, bucketId } = bucket;
  const site = { directory, leftovers, litestream, app, bucket: config, bucketId, token };
  const stage = { options, transcript, ledger: new Ledger(), random: seedRandom(options.seed), site };
  const everything = made.move();
  return {
    ...stage,
    slowness: 1,
    spotlight: { machine: null },
    [Symbol.asyncDispose]: () => everything.disposeAsync(),
  };
}

/** A folder for all that the drill makes. */
export function makeDirectory({ keep }: DrillOptions, leftovers: Leftovers): string {
  const directory = mkdtempSync(join(resolve(tmpdir()), "lifeboat-drill-"));
  if (!keep) leftovers.addPath(directory);
  return directory;
}

/** Removes it, or says where it is with --keep. */
export async function removeDirectory(
  directory: string,
  { options, transcript, leftovers }: StageOptions,
): Promise<void> {
  if (options.keep) {
    transcript.line(`kept: ${directory}`);
    return;
  }
  await rm(directory, { recursive: true, force: true, maxRetries: 5 });
  leftovers.forgetPath(directory);
}

type StorePlace = Readonly<{ transcript: Transcript; directory: string; leftovers: Leftovers }>;
type Store = Pick<SeaweedStore, "access"> & AsyncDisposable;

async function openStore(options: DrillOptions, place: StorePlace): Promise<Store> {
  const { store: given, keep } = options;
  if (given === null) {
    const directory = join(place.directory, "store");
    mkdirSync(directory);
    return place.transcript.step(
      "the store is up",
      () => openOwnStore({ directory, leftovers: place.leftovers, keep }, options),
      ({ access }) => `SeaweedFS on ${access.endpoint}, ${tellLatency(options)}signatures checked`,
    );
  }
  // Amazon's own endpoints want the bucket in the host name; nearly all others understand only the path.
  const access: StoreAccess = { ...given, pathStyle: !new URL(given.endpoint).hostname.endsWith(".amazonaws.com") };
  return { access, [Symbol.asyncDispose]: () => Promise.resolve() };
}

/** The drill's own store, as far away as the command line says. */
export async function openOwnStore(how: SeaweedStoreOptions, { storeLatencyMs }: DrillOptions): Promise<Store> {
  await using made = new AsyncDisposableStack();
  const { access } = made.use(await startSeaweedStore(how));
  const endpoint =
    storeLatencyMs === 0 ? access.endpoint : made.use(await openDistance(access.endpoint, storeLatencyMs)).endpoint;
  const everything = made.move();
  return { access: { ...access, endpoint }, [Symbol.asyncDispose]: () => everything.disposeAsync() };
}

const tellLatency = ({ storeLatencyMs }: DrillOptions) => (storeLatencyMs === 0 ? "" : `${storeLatencyMs} ms away, `);

async function leaveStore(
  bucket: PreparedBucket,
  { options, transcript }: Omit<StageOptions, "leftovers">,
): Promise<void> {
  if (options.keep) transcript.line(`kept: bucket ${bucket.config.bucket} on ${bucket.config.endpoint}`);
  else await removeBucket(bucket);
}
