import { statSync } from "node:fs";

import type Database from "better-sqlite3";

import type { Log } from "../log.ts";
import { type LockPlaces, nameSnapshotHolders } from "./lock-holders.ts";
import { countWalFrames, openDatabase, walFrameHeaderBytes } from "./open-database.ts";

/**
 * Watches how much of the WAL waits for Litestream's checkpoint, and never checkpoints itself. It measures the frames
 * in use: the file keeps its greatest size after a checkpoint, so a limit on the file would refuse writes forever. Its
 * read-only connection also keeps the writer from checkpointing on close, which SQLite does for the last connection.
 */
export class WalGuard {
  readonly #db: Database.Database;
  readonly #places: LockPlaces;
  readonly #walPath: string;
  readonly #walInode: number;
  readonly #frameBytes: number;
  readonly #limits: { alarmBytes: number; limitBytes: number };
  readonly #log: Log;
  #bytes = 0;
  #measuredAtMs = Number.NEGATIVE_INFINITY;
  #level: "quiet" | "alarm" | "limit" = "quiet";
  #holder = "";
  #namedAtMs = Number.NEGATIVE_INFINITY;

  constructor(places: LockPlaces, limits: { alarmBytes: number; limitBytes: number }, log: Log) {
    const { databasePath } = places;
    this.#places = places;
    this.#db = openDatabase(databasePath, "reader");
    this.#walPath = `${databasePath}-wal`;
    this.#walInode = statSync(this.#walPath).ino;
    this.#frameBytes = Number(this.#db.pragma("page_size", { simple: true })) + walFrameHeaderBytes;
    this.#limits = limits;
    this.#log = log;
  }

  /** Bytes of the WAL in use, at most 10 ms old. Logs once when the alarm or the limit is crossed, and on recovery. */
  measureBytes(): number {
    const nowMs = performance.now();
    if (nowMs - this.#measuredAtMs < remeasureMs) return this.#bytes;
    this.#measuredAtMs = nowMs;
    this.#bytes = countWalFrames(this.#db) * this.#frameBytes;
    this.#logCrossing();
    return this.#bytes;
  }

  /** Throws when the writer's WAL is no longer the file that other processes open: then nothing can be acknowledged. */
  assertInPlace(): void {
    if (statSync(this.#walPath, { throwIfNoEntry: false })?.ino === this.#walInode) return;
    throw new Error(
      `${this.#walPath} was deleted or replaced under the writer: something else than Lifeboat works on it`,
    );
  }

  isTooBig(): boolean {
    return this.measureBytes() >= this.#limits.limitBytes;
  }

  /**
   * Why the WAL cannot be reset, once it has reached the alarm size. Null below it. The named holder is at most 1 s
   * old.
   */
  get cause(): string | null {
    this.measureBytes();
    if (this.#level === "quiet") return null;
    if (performance.now() - this.#namedAtMs >= renameMs) this.#nameHolder();
    const size = this.#level === "limit" ? "its limit, and writes are refused" : "its alarm size";
    return `the WAL reached ${size}; the snapshot that keeps it from being reset is ${this.#holder}`;
  }

  close(): void {
    this.#db.close();
  }

  #nameHolder(): void {
    this.#holder = nameSnapshotHolders(this.#places);
    this.#namedAtMs = performance.now();
  }

  #logCrossing(): void {
    const { alarmBytes, limitBytes } = this.#limits;
    const before = this.#level;
    this.#level = this.#bytes >= limitBytes ? "limit" : this.#bytes >= alarmBytes ? "alarm" : "quiet";
    if (this.#level === before) return;
    const sizes = { walBytes: this.#bytes, alarmBytes, limitBytes };
    if (before === "limit") {
      this.#log.warn(sizes, "the WAL is below its limit again and writes are accepted");
      return;
    }
    if (this.#level === "quiet") return;
    this.#nameHolder();
    const fields = { ...sizes, cause: this.cause };
    if (this.#level === "limit") this.#log.error(fields, "the WAL reached its limit and writes are refused");
    else this.#log.warn(fields, "the WAL reached its alarm size");
  }
}

const remeasureMs = 10;
const renameMs = 1_000;
