import { mkdtempSync, rmSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import type Database from "better-sqlite3";

import { bootMachine } from "../../app/boot/boot-machine.ts";
import { within } from "../../app/cli/wait-for.ts";
import { openDatabase } from "../../app/database/open-database.ts";
import { type Bucket, openBucket } from "../../app/replica/bucket.ts";
import { fetchHead, swapHead } from "../../app/replica/head.ts";
import { litestreamEnvironment } from "../../app/replica/litestream-config.ts";
import { syncReplica } from "../../app/replica/litestream.ts";
import { type Machine, machineFiles } from "../../app/replica/machine.ts";
import { type Mark, readMark } from "../../app/replica/mark.ts";
import type { ReplicationOptions } from "../../app/replica/replication-options.ts";
import { Replication } from "../../app/replica/replication.ts";
import { restoreEpoch } from "../../app/replica/restore.ts";
import { RoundPace } from "../../app/replica/round-pace.ts";
import { resolveBinary } from "../../scripts/build/resolve-binary.ts";
import { runCommand } from "../../scripts/build/run-command.ts";
import { prepareBucket } from "../../scripts/local/bucket-preparation.ts";
import { Leftovers } from "../../scripts/local/leftovers.ts";
import { type ProcessGroup, startProcessGroup } from "../../scripts/local/process-group.ts";
import type { StoreAccess } from "../../scripts/local/seaweed-store.ts";
import { recordLog, type Logged } from "../recorded-log.ts";
import { StoreProxy } from "./bucket-proxy.ts";

type Opened = Readonly<{ replication: Replication; fencedBy: string[]; logged: readonly Logged[] }>;

/**
 * One booted machine without its app: a real database, the store behind a proxy, Litestream as a process when asked
 * for. Each site has its own bucket, so several can share a store.
 */
export class ReplicaSite implements AsyncDisposable {
  readonly machine: Machine;
  readonly mark: Mark;
  readonly proxy: StoreProxy;
  /** The bucket through the proxy, as the machine sees it. */
  readonly bucket: Bucket;
  readonly db: Database.Database;
  readonly #directory: string;
  readonly #store: StoreAccess;
  readonly #leftovers = new Leftovers();
  readonly #opened: Replication[] = [];
  #litestream: ProcessGroup | null = null;

  private constructor(
    parts: Pick<ReplicaSite, "machine" | "mark" | "proxy"> & { directory: string; store: StoreAccess },
  ) {
    this.machine = parts.machine;
    this.mark = parts.mark;
    this.proxy = parts.proxy;
    this.#directory = parts.directory;
    this.#store = parts.store;
    this.bucket = openBucket(parts.machine.bucket);
    this.db = openDatabase(parts.machine.files.database, "writer");
    this.db.exec("create table notes (id integer primary key, body text not null)");
  }

  static async open(store: StoreAccess): Promise<ReplicaSite> {
    const directory = mkdtempSync(join(tmpdir(), "lifeboat-site-"));
    const proxy = await StoreProxy.start(store.endpoint);
    const prepared = await prepareBucket({ ...store, endpoint: proxy.endpoint }, null);
    const machine = describeMachine(directory, "one", await resolveBinary("litestream"), prepared);
    await bootMachine(machine, { log: recordLog().log });
    const mark = readMark(machine.files.mark);
    if (mark === null) throw new Error("the first boot left no mark");
    return new ReplicaSite({ directory, store, proxy, machine, mark });
  }

  write(body: string): void {
    this.db.prepare("insert into notes (body) values (?)").run(body);
  }

  startLitestream(): void {
    const { files, litestreamPath: file } = this.machine;
    const environment = Object.fromEntries(
      Object.entries(litestreamEnvironment(this.machine)).flatMap(([name, value]) =>
        value === undefined ? [] : [[name, value]],
      ),
    );
    const logFile = this.litestreamLog;
    const command = { file, words: ["replicate", "-config", files.litestreamConfig] };
    this.#litestream = startProcessGroup(command, {
      environment,
      directory: this.#directory,
      logFile,
      leftovers: this.#leftovers,
    });
  }

  get litestreamLog(): string {
    return join(this.#directory, "litestream.log");
  }

  async killLitestream(): Promise<void> {
    this.#litestream?.signal("SIGKILL");
    if (this.#litestream !== null) await within("the end of Litestream", 10_000, this.#litestream.exited);
    this.#litestream = null;
  }

  /** Uploads everything committed so far, without any check of head; returns the TXID. */
  sync(): Promise<string> {
    return syncReplica(this.machine.files.litestreamSocket, this.machine.files.database, 15_000);
  }

  /** The replication of this machine, wired as the app does it, started, with parts that a test replaces. */
  replicate(replaced: Partial<ReplicationOptions> = {}): Opened {
    const fencedBy: string[] = [];
    const { log, logged } = recordLog();
    const replication = new Replication({
      bucket: this.bucket,
      epoch: this.mark.epoch,
      nonce: this.mark.nonce,
      run: this.mark.runs?.at(-1) ?? this.mark.nonce,
      fence: "enforced",
      acceptAdvisoryFence: false,
      baseBytes: () => 0,
      sync: () => this.sync(),
      pace: new RoundPace(this.machine.syncsPerMonth),
      log,
      onFenced: (cause) => fencedBy.push(cause),
      ...replaced,
    });
    replication.start();
    this.#opened.push(replication);
    return { replication, fencedBy, logged };
  }

  /**
   * Boots another machine with another disk from the same bucket, so that it takes head over. It serves, or must still
   * upload its base.
   */
  async takeOver(state: "opening" | "living" = "living"): Promise<void> {
    const { bucket, bucketId, litestreamPath } = this.machine;
    const other = describeMachine(this.#directory, "two", litestreamPath, { config: bucket, bucketId });
    const { outcome } = await bootMachine(other, { log: recordLog().log });
    if (outcome !== "claimed") throw new Error(`the other machine was to take over, but its boot ended as ${outcome}`);
    const { head, etag } = await fetchHead(this.bucket);
    if (state === "living") await swapHead(this.bucket, { ...head, state }, etag);
  }

  /** What a machine would find in the bucket now, or at a TXID, past the proxy. */
  async restoreBodies(txid?: string): Promise<string[]> {
    const { endpoint } = this.#store;
    const files = machineFiles(join(this.#directory, "reader"), this.#directory);
    const reader = {
      ...this.machine,
      bucket: { ...this.machine.bucket, endpoint },
      files: { ...files, restored: join(this.#directory, "restored") },
    };
    const { path } = await restoreEpoch(reader, this.mark.epoch, { stallLimitMs: 20_000 });
    if (txid !== undefined) {
      rmSync(path);
      const words = [
        "restore",
        "-config",
        reader.files.restoreConfig,
        "-txid",
        txid,
        "-o",
        path,
        reader.files.database,
      ];
      await runCommand(reader.litestreamPath, words, { timeoutMs: 20_000, env: litestreamEnvironment(reader) });
    }
    const restored = openDatabase(path, "reader");
    try {
      return restored.prepare<[], string>("select body from notes order by id").pluck().all();
    } finally {
      restored.close();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.killLitestream();
    await Promise.all(this.#opened.map((replication) => replication.abandon("the test is over")));
    this.db.close();
    await this.proxy[Symbol.asyncDispose]();
    await rm(this.#directory, { recursive: true, force: true });
  }
}

type Prepared = Readonly<{ config: Machine["bucket"]; bucketId: string }>;

function describeMachine(
  directory: string,
  name: string,
  litestreamPath: string,
  { config, bucketId }: Prepared,
): Machine {
  const home = join(directory, name);
  return {
    machineId: `machine-${name}`,
    bootId: `boot-of-${name}`,
    files: machineFiles(join(home, "data"), join(home, "run")),
    bucket: config,
    bucketId,
    litestreamPath,
    replicationIntervalMs: 1_000,
    syncsPerMonth: 26_000_000,
    retentionHours: 24,
    acceptAdvisoryFence: false,
  };
}
