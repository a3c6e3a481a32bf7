import { randomBytes, randomUUID } from "node:crypto";
import { cpSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync } from "node:fs";

import { bootMachine, type BootOptions } from "../../app/boot/boot-machine.ts";
import type { BootReport } from "../../app/boot/report.ts";
import { openDatabase } from "../../app/database/open-database.ts";
import type { Log } from "../../app/log.ts";
import type { WatchLimits } from "../../app/replica/litestream-watch.ts";
import type { Machine } from "../../app/replica/machine.ts";
import type { Inspection } from "../../app/replica/replica-watch.ts";
import type { Leftovers } from "../../scripts/local/leftovers.ts";
import { type AfterStep, watchSteps } from "../boot/watch-steps.ts";
import { recordLog, type Logged } from "../recorded-log.ts";
import { Life } from "./life.ts";

/** What a short life wrote: `replicated` was acknowledged at `bucket`; `onDisk` came after the last upload. */
export type Written = { replicated?: readonly string[]; onDisk?: readonly string[] };

/** A machine of a test: its identity, its disk, and what may happen to both. */
export class TestMachine {
  machine: Machine;
  /** What the boots of this machine logged. */
  readonly events: Logged[];
  readonly #log: Log;
  readonly #leftovers: Leftovers;

  constructor(machine: Machine, leftovers: Leftovers) {
    this.machine = machine;
    this.#leftovers = leftovers;
    const { log, logged } = recordLog();
    this.#log = log;
    this.events = logged;
  }

  get files() {
    return this.machine.files;
  }

  /**
   * Boots. `afterStep` is called when a step is done, before the next one begins. Throws when a refusal does not name
   * the command that boots again, whatever the test is about.
   */
  async boot(options: { limits?: BootOptions["limits"]; afterStep?: AfterStep } = {}): Promise<BootReport> {
    const report = await bootMachine(this.machine, {
      limits: { restorePausesMs: [20, 20], ...options.limits },
      log: options.afterStep === undefined ? this.#log : watchSteps(this.#log, options.afterStep),
    });
    if (report.outcome === "refused" && !/\w.*, then boot again \(.*systemctl restart/.test(report.next ?? ""))
      throw new Error(`a refusal without the command that boots again: ${report.next}`);
    return report;
  }

  /** Starts Litestream and the database after a boot. */
  live(inspections: readonly Inspection[] = [], limits?: WatchLimits): Promise<Life> {
    return Life.start(this.machine, this.#leftovers, inspections, limits);
  }

  /** Boots, writes, and dies without warning. */
  async liveAndCrash({ replicated = [], onDisk = [] }: Written): Promise<BootReport> {
    const report = await this.boot();
    if (report.outcome !== "claimed" && report.outcome !== "resumed")
      throw new Error(`boot ended: ${report.outcome}, ${report.cause}`);
    const life = await this.live();
    life.write(...replicated);
    if (replicated.length > 0) await life.replicate();
    life.write(...onDisk);
    await life.crash();
    return report;
  }

  /** Boots, writes, and stops with everything in the bucket. */
  async liveAndStop(texts: readonly string[]): Promise<void> {
    await this.boot();
    await using life = await this.live();
    life.write(...texts);
    await life.stopCleanly();
  }

  /**
   * Boots, writes and replicates `before` and then `after` in one life, and dies; the disk that it is left with is the
   * copy that was taken between them.
   */
  async liveAndGoBack({
    before = [],
    after,
  }: {
    before?: readonly string[];
    after: readonly string[];
  }): Promise<BootReport> {
    const report = await this.boot();
    const life = await this.live();
    life.write(...before);
    if (before.length > 0) await life.replicate();
    const putBack = this.rememberDisk();
    life.write(...after);
    await life.replicate();
    await life.crash();
    putBack();
    return report;
  }

  /** The next boot is another start of the operating system. */
  losePower(): void {
    this.machine = { ...this.machine, bootId: randomUUID() };
  }

  loseDisk(): void {
    rmSync(this.files.dataDirectory, { recursive: true });
    mkdirSync(this.files.dataDirectory);
  }

  /** The same disk in another machine. */
  becomeAnother(): void {
    this.losePower();
    this.machine = { ...this.machine, machineId: randomBytes(16).toString("hex") };
  }

  /** From now on the store is reached in another way. */
  reconnect(bucket: Partial<Machine["bucket"]>): void {
    this.machine = { ...this.machine, bucket: { ...this.machine.bucket, ...bucket } };
  }

  /** Keeps a copy of the disk as it is now; the function that it returns puts that copy back. */
  rememberDisk(): () => void {
    const { dataDirectory } = this.files;
    const copy = `${dataDirectory}-${randomBytes(3).toString("hex")}`;
    cpSync(dataDirectory, copy, { recursive: true });
    return () => {
      rmSync(dataDirectory, { recursive: true });
      renameSync(copy, dataDirectory);
    };
  }

  /** Every text that the database would serve, in the order of writing. */
  texts(path = this.files.database): string[] {
    const database = openDatabase(path, "reader");
    try {
      return database.prepare<[], string>("select text from notes order by id").pluck().all();
    } finally {
      database.close();
    }
  }

  /** The folders in quarantine. */
  quarantined(): string[] {
    return existsSync(this.files.quarantine) ? readdirSync(this.files.quarantine).toSorted() : [];
  }
}
