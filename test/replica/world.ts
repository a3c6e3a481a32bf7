import { randomBytes, randomUUID } from "node:crypto";
import { mkdirSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { machineFiles, type Machine } from "../../app/replica/machine.ts";
import { resolveBinary } from "../../scripts/build/resolve-binary.ts";
import { Leftovers } from "../../scripts/local/leftovers.ts";
import { startSeaweedStore, type StoreAccess } from "../../scripts/local/seaweed-store.ts";
import { Site } from "./site.ts";
import { StoreProxy } from "./store-proxy.ts";
import { TestMachine } from "./test-machine.ts";

type Store = AsyncDisposable & Readonly<{ access: StoreAccess }>;

/** A real store, and a directory for the disks of all the machines of one test file. */
export class World implements AsyncDisposable {
  readonly directory: string;
  readonly leftovers: Leftovers;
  readonly litestream: string;
  readonly store: Store;
  readonly #clearOnExit: () => void;
  #nextSite: Promise<Site>;

  private constructor(parts: Pick<World, "directory" | "leftovers" | "litestream" | "store">) {
    this.directory = parts.directory;
    this.leftovers = parts.leftovers;
    this.litestream = parts.litestream;
    this.store = parts.store;
    this.#nextSite = Site.make(parts.store.access);
    this.#clearOnExit = () => parts.leftovers.clear();
    process.once("exit", this.#clearOnExit);
  }

  /** Starts a store, unless one that runs already is given. */
  static async open(running?: Store): Promise<World> {
    const leftovers = new Leftovers();
    // Short names: a socket's path has room for 107 bytes.
    const directory = mkdtempSync(join(tmpdir(), "lb-boot-"));
    leftovers.addPath(directory);
    const [litestream, store] = await Promise.all([
      resolveBinary("litestream"),
      running ?? startSeaweedStore({ leftovers }),
    ]);
    return new World({ directory, leftovers, litestream, store });
  }

  /** A new bucket with its sentinel. Also starts making the next one, because the store is slow at it. */
  makeSite(): Promise<Site> {
    const site = this.#nextSite;
    this.#nextSite = Site.make(this.store.access);
    return site;
  }

  /** A new machine with an empty disk. */
  newMachine(
    { config: bucket, bucketId }: Site,
    home = join(this.directory, randomBytes(3).toString("hex")),
  ): TestMachine {
    const files = machineFiles(join(home, "data"), join(home, "run"));
    for (const path of [files.dataDirectory, files.runDirectory]) mkdirSync(path, { recursive: true });
    const machine: Machine = {
      machineId: randomBytes(16).toString("hex"),
      bootId: randomUUID(),
      files,
      bucket,
      bucketId,
      litestreamPath: this.litestream,
      // Nothing is uploaded but by a sync that a test asks for: so a test knows what the bucket holds.
      replicationIntervalMs: 3_600_000,
      syncsPerMonth: 26_000_000,
      retentionHours: 24,
      acceptAdvisoryFence: false,
    };
    return new TestMachine(machine, this.leftovers);
  }

  /** A new bucket, and a machine that replicated "one" into it and died with "two" on its disk only. */
  async makeDead() {
    const site = await this.makeSite();
    const a = this.newMachine(site);
    const { epoch } = await a.liveAndCrash({ replicated: ["one"], onDisk: ["two"] });
    return { site, a, epoch };
  }

  /** A bucket whose last machine replicated "one" and died, and a new machine that reaches the store through a proxy. */
  async makeNext(decide: StoreProxy["decide"]) {
    const site = await this.makeSite();
    await this.newMachine(site).liveAndCrash({ replicated: ["one"] });
    const proxy = await StoreProxy.start(this.store.access.endpoint, decide);
    const b = this.newMachine(site);
    b.reconnect({ endpoint: proxy.endpoint });
    return { site, b, proxy };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#nextSite;
    await this.store[Symbol.asyncDispose]();
    this.leftovers.clear();
    process.off("exit", this.#clearOnExit);
  }
}
