import { randomBytes } from "node:crypto";
import { mkdirSync } from "node:fs";
import { join } from "node:path";

import { appSources, type AppBundle, bundleApp } from "../../build/bundle-app.ts";
import { resolveBinary } from "../../build/resolve-binary.ts";
import { Machine, type Site } from "../../drill/machine.ts";
import { prepareBucket } from "../../local/bucket-preparation.ts";
import { openDistance } from "../../local/distance.ts";
import { Leftovers } from "../../local/leftovers.ts";
import { type StoreAccess, startSeaweedStore } from "../../local/seaweed-store.ts";
import { makeScratchDirectory } from "./scratch-directory.ts";

/** Where rows are measured: a directory on a disk and, for those who ask, a store and the app like that of a release. */
export class BenchSite implements AsyncDisposable {
  readonly directory: string;
  readonly leftovers: Leftovers;
  readonly #parts = new AsyncDisposableStack();
  #store: Promise<StoreAccess> | undefined;
  #app: Promise<AppBundle> | undefined;
  #machines = 0;

  constructor(parent: string, leftovers = new Leftovers()) {
    this.leftovers = leftovers;
    this.#parts.defer(() => leftovers.clear());
    this.directory = this.#parts.use(makeScratchDirectory(parent, leftovers)).path;
  }

  /** A store that is a round trip of so many milliseconds away. It is shared by all that ask. */
  async openStore(distanceMs = 0): Promise<StoreAccess> {
    this.#store ??= this.#startStore();
    const access = await this.#store;
    if (distanceMs === 0) return access;
    const far = this.#parts.use(await openDistance(access.endpoint, distanceMs));
    return { ...access, endpoint: far.endpoint };
  }

  /** A new bucket, and all that machines need to live from it. */
  async openBucket(distanceMs = 0): Promise<Site> {
    const { config: bucket, bucketId } = await prepareBucket(await this.openStore(distanceMs), null, "bench");
    this.#app ??= bundleApp(appSources, join(this.directory, "app"));
    const token = randomBytes(24).toString("base64url");
    const { directory, leftovers } = this;
    return {
      directory,
      leftovers,
      litestream: await resolveBinary("litestream"),
      app: await this.#app,
      bucket,
      bucketId,
      token,
    };
  }

  /** Starts a machine and waits until it is ready. */
  async startMachine(site: Site): Promise<Machine> {
    const machine = await Machine.switchOn(`m${(this.#machines += 1)}`, site);
    try {
      await machine.waitUntilReady(readyLimitMs);
      return machine;
    } catch (error) {
      await machine[Symbol.asyncDispose]();
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#parts.disposeAsync();
  }

  async #startStore(): Promise<StoreAccess> {
    const directory = join(this.directory, "store");
    mkdirSync(directory);
    return this.#parts.use(await startSeaweedStore({ directory, leftovers: this.leftovers })).access;
  }
}

const readyLimitMs = 120_000;
