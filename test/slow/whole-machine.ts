import { createHash, randomBytes, randomUUID } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { waitFor } from "../../app/cli/wait-for.ts";
import { exitCodes } from "../../app/exit-codes.ts";
import { openBucket } from "../../app/replica/bucket.ts";
import { fetchHead, openingHead, parentOf, swapHead } from "../../app/replica/head.ts";
import { type MachineFiles, machineFiles } from "../../app/replica/machine.ts";
import { type Mark, readMark } from "../../app/replica/mark.ts";
import type { BucketConfig } from "../../app/replica/s3-client.ts";
import { resolveBinary } from "../../scripts/build/resolve-binary.ts";
import { type Answer, HttpClient, type Target } from "../../scripts/drill/http-client.ts";
import { type PreparedBucket, prepareBucket } from "../../scripts/local/bucket-preparation.ts";
import { findFreePorts } from "../../scripts/local/free-ports.ts";
import { Leftovers } from "../../scripts/local/leftovers.ts";
import { type SeaweedStore, startSeaweedStore } from "../../scripts/local/seaweed-store.ts";
import { Supervisor, type Unit } from "../../scripts/local/supervisor.ts";
import { StoreProxy } from "../replica/bucket-proxy.ts";

const app = join(import.meta.dirname, "../../app");
const waitMs = 60_000;

/** A store behind a proxy, one bucket, and the directories of the machines that use it. */
export class WholeSite implements AsyncDisposable {
  readonly proxy: StoreProxy;
  readonly prepared: PreparedBucket;
  readonly litestream: string;
  readonly directory = mkdtempSync(join(tmpdir(), "lb-whole-"));
  readonly leftovers = new Leftovers();
  readonly #store: SeaweedStore;
  readonly #machines: WholeMachine[] = [];

  private constructor(parts: Pick<WholeSite, "proxy" | "prepared" | "litestream"> & { store: SeaweedStore }) {
    this.proxy = parts.proxy;
    this.prepared = parts.prepared;
    this.litestream = parts.litestream;
    this.#store = parts.store;
  }

  static async open(): Promise<WholeSite> {
    const store = await startSeaweedStore();
    const proxy = await StoreProxy.start(store.access.endpoint);
    const prepared = await prepareBucket({ ...store.access, endpoint: proxy.endpoint }, null);
    return new WholeSite({ store, proxy, prepared, litestream: await resolveBinary("litestream") });
  }

  /** A new machine with an empty disk, switched off. */
  async addMachine(name: string): Promise<WholeMachine> {
    const [port = 0] = await findFreePorts(1);
    const machine = new WholeMachine(this, name, port);
    this.#machines.push(machine);
    return machine;
  }

  /** The epoch that head names. */
  async readEpoch(): Promise<string> {
    return (await fetchHead(openBucket(this.prepared.config))).head.epoch;
  }

  /** Moves head as the claim of another machine does. */
  async takeOver(): Promise<void> {
    const bucket = openBucket(this.prepared.config);
    const claim = async () => {
      const { head: seen, etag } = await fetchHead(bucket);
      const next = openingHead({ seen, machine: "another", parent: parentOf(seen), replaces: [] });
      return await swapHead(bucket, next, etag);
    };
    // The machine itself may make its epoch living under it.
    await waitFor("the claim", claim, { timeoutMs: 10_000 });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const machine of this.#machines) await machine.switchOff();
    await this.proxy[Symbol.asyncDispose]();
    await this.#store[Symbol.asyncDispose]();
    this.leftovers.clear();
    await rm(this.directory, { recursive: true, force: true });
  }
}

/** One machine of the process room that can be switched off and on again: same disk, same identity. */
export class WholeMachine {
  readonly files: MachineFiles;
  readonly target: Target;
  readonly environment: Record<string, string>;
  readonly #site: WholeSite;
  readonly #home: string;
  #supervisor: Supervisor | null = null;

  constructor(site: WholeSite, name: string, port: number) {
    this.#site = site;
    this.#home = join(site.directory, name);
    this.files = machineFiles(join(this.#home, "data"), join(this.#home, "run"));
    const token = randomBytes(16).toString("hex");
    this.target = { name, port, token };
    this.environment = describeEnvironment({ site, files: this.files, port, token });
    for (const path of [this.files.dataDirectory, this.files.runDirectory]) mkdirSync(path, { recursive: true });
  }

  get supervisor(): Supervisor {
    if (this.#supervisor === null) throw new Error(`machine ${this.target.name} is off`);
    return this.#supervisor;
  }

  /** Gives the machine a new boot id, as a start of the operating system would. */
  switchOn(): void {
    this.#supervisor = Supervisor.start({
      units: {
        oneshot: this.#describeUnit("boot"),
        services: [this.#describeUnit("app"), this.#describeUnit("litestream")],
      },
      environment: { ...this.environment, LIFEBOAT_BOOT_ID: randomUUID() },
      directory: this.#home,
      logDirectory: this.#home,
      stayDownCodes: new Set<number>(Object.values(exitCodes)),
      leftovers: this.#site.leftovers,
    });
  }

  async switchOnUntilReady(): Promise<void> {
    this.switchOn();
    await this.waitUntilReady();
  }

  async waitUntilReady(): Promise<void> {
    const ready = async () => ((await this.ask("GET", "/ready", { limitMs: 1_000 })).status === 200 ? true : null);
    await waitFor(`/ready of machine ${this.target.name}`, ready, { timeoutMs: waitMs });
  }

  /** kill -9 of everything at once. */
  async switchOff(): Promise<void> {
    await this.#supervisor?.[Symbol.asyncDispose]();
    this.#supervisor = null;
  }

  /** As `systemctl stop` would: the app first. Returns the exit codes of app and Litestream. */
  async stopCleanly(): Promise<(number | null)[]> {
    const exits = await this.supervisor.stop(60_000);
    this.#supervisor = null;
    return exits.map(({ code }) => code);
  }

  /** kill -9 of one process, without the supervisor's knowledge. */
  kill(unit: "app" | "litestream"): void {
    process.kill(this.readPid(unit), "SIGKILL");
  }

  readPid(unit: "app" | "litestream"): number {
    return Number(readFileSync(join(this.#home, `${unit}.pid`), "utf8"));
  }

  readLog(unit: "boot" | "app" | "litestream"): string {
    return readFileSync(join(this.#home, `${unit}.log`), "utf8");
  }

  readMark(): Mark {
    const mark = readMark(this.files.mark);
    if (mark === null) throw new Error(`machine ${this.target.name} has no mark`);
    return mark;
  }

  async ask(
    method: "GET" | "POST",
    path: string,
    { headers = {}, body, limitMs = 30_000 }: AskOptions = {},
  ): Promise<Answer> {
    using client = new HttpClient(this.target);
    return await client.ask({ method, path, headers, ...(body !== undefined && { body }) }, limitMs);
  }

  // Each unit writes its process id, which exec keeps.
  #describeUnit(name: "boot" | "app" | "litestream"): Unit {
    const { files } = this;
    const programs = {
      boot: [process.execPath, join(app, "boot.ts")],
      app: [process.execPath, join(app, "main.ts")],
      litestream: [
        "flock",
        "--nonblock",
        "--no-fork",
        files.litestreamLock,
        this.environment["LIFEBOAT_LITESTREAM"] ?? "",
        "replicate",
        "-config",
        files.litestreamConfig,
      ],
    };
    const script = 'echo $$ >"$1.pid"; shift; exec "$@"';
    return { name, command: { file: "sh", words: ["-c", script, "sh", name, ...programs[name]] } };
  }
}

type AskOptions = { headers?: Record<string, string>; body?: unknown; limitMs?: number };
type Described = { site: WholeSite; files: MachineFiles; port: number; token: string };

function describeEnvironment({ site, files, port, token }: Described): Record<string, string> {
  const bucket: BucketConfig = site.prepared.config;
  return {
    PATH: process.env["PATH"] ?? "",
    LIFEBOAT_DATA_DIR: files.dataDirectory,
    LIFEBOAT_RUN_DIR: files.runDirectory,
    LIFEBOAT_BUCKET: bucket.bucket,
    LIFEBOAT_REGION: bucket.region,
    LIFEBOAT_ENDPOINT: site.proxy.endpoint,
    LIFEBOAT_PATH_STYLE: "true",
    LIFEBOAT_BUCKET_ID: site.prepared.bucketId,
    LITESTREAM_ACCESS_KEY_ID: bucket.accessKeyId,
    LITESTREAM_SECRET_ACCESS_KEY: bucket.secretAccessKey,
    LIFEBOAT_MACHINE_ID: randomBytes(16).toString("hex"),
    LIFEBOAT_LITESTREAM: site.litestream,
    LIFEBOAT_API_TOKENS_SHA256: createHash("sha256").update(token).digest("hex"),
    LIFEBOAT_HOST: "127.0.0.1",
    LIFEBOAT_PORT: String(port),
  };
}
