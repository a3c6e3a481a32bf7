import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";

import { beforeAll, beforeEach } from "vitest";

import { type DeployReport, deployReportKey, draftReport } from "../../app/deploys/deploy-report.ts";
import { DeployWatch, type Wishes } from "../../app/deploys/deploy-watch.ts";
import type { Installer } from "../../app/deploys/installer.ts";
import { WishReader } from "../../app/deploys/wish-reader.ts";
import { type Bucket, openBucket } from "../../app/replica/bucket.ts";
import type { BucketConfig } from "../../app/replica/s3-client.ts";
import { type SeaweedStore, startSeaweedStore } from "../../scripts/local/seaweed-store.ts";
import { makeBucket } from "../infra/limited-key.ts";
import { silent } from "./scripted-installer.ts";

/** The scene of a file's tests, which begins anew with each of them. */
export function useScene(): WatchScene {
  const scene = new WatchScene();
  beforeAll(async () => {
    await scene.start();
    return () => scene[Symbol.asyncDispose]();
  }, 60_000);
  beforeEach(() => scene.begin());
  return scene;
}

/** A real store with a bucket for each test, and the watchers of machines that look into it. */
class WatchScene implements AsyncDisposable {
  #store: SeaweedStore | undefined;
  #directory = "";
  #bucket: Bucket | undefined;
  #reader: WishReader | undefined;
  #place: BucketConfig | undefined;

  async start(): Promise<void> {
    this.#store = await startSeaweedStore();
  }

  /** An empty bucket, and machines that remember nothing. */
  async begin(): Promise<void> {
    if (this.#store === undefined) throw new Error("the store has not started");
    this.#end();
    this.#directory = mkdtempSync(join(tmpdir(), "lifeboat-deploys-"));
    const place = { ...this.#store.access, bucket: basename(this.#directory).toLowerCase() };
    await makeBucket(this.#store.access, place.bucket);
    this.#bucket = openBucket(place);
    this.#reader = new WishReader(place);
    this.#place = place;
  }

  /** Another machine's connection. */
  connect(): WishReader {
    if (this.#place === undefined) throw new Error("the scene has not begun");
    return new WishReader(this.#place);
  }

  get bucket(): Bucket {
    if (this.#bucket === undefined) throw new Error("the scene has not begun");
    return this.#bucket;
  }

  get reader(): WishReader {
    if (this.#reader === undefined) throw new Error("the scene has not begun");
    return this.#reader;
  }

  /** The watcher of a machine. A second one of the same machine goes on where the first one was killed. */
  open(installer: Installer, machine = "a"): DeployWatch {
    const notesFile = join(this.#directory, `${machine}.json`);
    return new DeployWatch({ installer, notesFile, nameMachine: () => machine, log: silent });
  }

  /** The bucket as it is, but for some calls. */
  through(changed: Partial<Wishes>): Wishes {
    const { reader } = this;
    return {
      readWish: () => reader.readWish(),
      readReport: (deploy) => reader.readReport(deploy),
      isNewerThanDesired: () => reader.isNewerThanDesired(),
      putReport: (report) => reader.putReport(report),
      silentMs: () => reader.silentMs(),
      ...changed,
    };
  }

  /** What somebody else writes in the place of a report. */
  async end(deploy: string, changed: Partial<DeployReport>): Promise<void> {
    const wish = { format: 1, deploy, at: "", by: "", way: "bucket", sha256: "" } as const;
    const report = { ...draftReport(wish, "none", null), ...changed };
    await this.bucket.put(deployReportKey(deploy), JSON.stringify(report));
  }

  async wish(wish: Readonly<Record<string, unknown>>): Promise<void> {
    const text = JSON.stringify({ format: 1, at: "now", by: "a test", ...wish });
    await this.bucket.put("wanted-release.json", text);
  }

  async readReport(deploy: string): Promise<DeployReport> {
    return JSON.parse((await this.bucket.get(deployReportKey(deploy))).text);
  }

  async goOn(watch: DeployWatch, times = 2, reader = this.reader): Promise<void> {
    for (let time = 0; time < times; time++) await watch.goOn(reader);
  }

  #end(): void {
    this.#reader?.[Symbol.dispose]();
    if (this.#directory !== "") rmSync(this.#directory, { recursive: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#end();
    await this.#store?.[Symbol.asyncDispose]();
  }
}
