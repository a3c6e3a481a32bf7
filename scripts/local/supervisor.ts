import { join } from "node:path";

import { within } from "../../app/cli/wait-for.ts";
import { type Command, type Exit, type ProcessGroup, type Surroundings, startProcessGroup } from "./process-group.ts";

/** `oneshot` must end with 0 before any service starts. Services start together and stop in this order. */
export type Units = Readonly<{ oneshot: Unit; services: readonly Unit[] }>;
export type Unit = Readonly<{ name: string; command: Command }>;

/** How it ended: a unit's exit that must not be followed by a restart, or our own stop. */
export type Ending = Readonly<{ unit: string; code: number | null } | { unit: null; cause: "killed" | "stopped" }>;

export type SupervisorOptions = Readonly<
  Omit<Surroundings, "logFile"> & {
    units: Units;
    logDirectory: string;
    stayDownCodes: ReadonlySet<number>;
    /** Called for an unexpected end. True when the unit must wait for a restart and not be started again. */
    waitsForRestart?: (unit: string, exit: Exit) => boolean;
  }
>;

const leastDelayMs = 200;
const mostDelayMs = 2000;
const settledAfterMs = 10_000;
/** Failures of a oneshot in a row, after which it is given up: about 35 s. systemd has StartLimitBurst for this. */
const oneshotStartLimit = 20;

/** The part of systemd for one machine: keeps the order, restarts what fails, respects exit codes that forbid it. */
export class Supervisor implements AsyncDisposable {
  /** Resolves once nothing will be started any more. */
  readonly ended: Promise<Ending>;
  readonly #options: SupervisorOptions;
  readonly #running = new Map<string, ProcessGroup>();
  readonly #startedAt = new Map<string, number>();
  readonly #delays = new Map<string, number>();
  /** The units that wait for their next start. */
  readonly #timers = new Map<string, NodeJS.Timeout>();
  /** Processes that we are stopping ourselves. */
  readonly #ending = new Set<ProcessGroup>();
  readonly #end: (ending: Ending) => void;
  #oneshotStarts = 0;
  #over = false;

  private constructor(options: SupervisorOptions) {
    this.#options = options;
    const { promise, resolve } = Promise.withResolvers<Ending>();
    this.ended = promise;
    this.#end = resolve;
  }

  static start(options: SupervisorOptions): Supervisor {
    const supervisor = new Supervisor(options);
    supervisor.#launch(options.units.oneshot);
    return supervisor;
  }

  /** When the unit was last started, on the clock of performance.now(). */
  startedAt(unit: string): number {
    const startedAt = this.#startedAt.get(unit);
    if (startedAt === undefined) throw new Error(`${unit} has not been started`);
    return startedAt;
  }

  /** The process of a unit. Undefined while it does not run. */
  pidOf(unit: string): number | undefined {
    return this.#running.get(unit)?.pid;
  }

  /** Kills everything at once with SIGKILL. Returns the moment, on the clock of performance.now(). */
  kill9(): number {
    const killedAt = performance.now();
    for (const group of this.#running.values()) group.signal("SIGKILL");
    this.#finish({ unit: null, cause: "killed" });
    return killedAt;
  }

  /** Freezes everything, like a hypervisor that pauses a machine. Returns the moment. */
  pause(): number {
    const pausedAt = performance.now();
    for (const group of this.#running.values()) group.signal("SIGSTOP");
    return pausedAt;
  }

  /** Lets everything continue. Returns the moment before. */
  resume(): number {
    const resumedAt = performance.now();
    for (const group of this.#running.values()) group.signal("SIGCONT");
    return resumedAt;
  }

  /** Clean stop: SIGTERM to one service after the other. What has not ended within the limit is killed and reported. */
  async stop(timeoutMs = 30_000): Promise<Exit[]> {
    this.#finish({ unit: null, cause: "stopped" });
    const exits: Exit[] = [];
    for (const { name } of [this.#options.units.oneshot, ...this.#options.units.services]) {
      const group = this.#running.get(name);
      if (!group) continue;
      group.signal("SIGTERM");
      exits.push(await within(`the clean stop of ${name}`, timeoutMs, group.exited));
    }
    return exits;
  }

  /**
   * Stops what runs, each unit cleanly and in order, and starts it again: the named unit only, or everything through
   * the oneshot. What does not end within the limit is killed.
   */
  async restart(name: string | null, timeoutMs = 60_000): Promise<void> {
    const { oneshot, services } = this.#options.units;
    const units = [oneshot, ...services].filter((unit) => name === null || unit.name === name);
    for (const unit of units) this.#clearTimer(unit.name);
    for (const unit of units) await this.#endUnit(unit, timeoutMs);
    if (this.#over) return;
    for (const unit of name === null ? [oneshot] : units) this.#launch(unit);
  }

  /** kill -9 of one unit, which is started again as after any other failure. */
  killUnit(name: string): void {
    this.#running.get(name)?.signal("SIGKILL");
  }

  async #endUnit({ name }: Unit, timeoutMs: number): Promise<void> {
    const group = this.#running.get(name);
    if (group === undefined) return;
    this.#ending.add(group);
    group.signal("SIGTERM");
    const kill = setTimeout(() => group.signal("SIGKILL"), timeoutMs);
    await group.exited;
    clearTimeout(kill);
    this.#running.delete(name);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.kill9();
    const exits = [...this.#running.values()].map((group) => group.exited);
    await within("the end of the killed processes", 10_000, Promise.all(exits));
  }

  #launch(unit: Unit): void {
    const { logDirectory, ...surroundings } = this.#options;
    const startedAt = performance.now();
    const logFile = join(logDirectory, `${unit.name}.log`);
    const group = startProcessGroup(unit.command, { ...surroundings, logFile });
    this.#running.set(unit.name, group);
    this.#startedAt.set(unit.name, startedAt);
    void this.#watch(unit, group);
  }

  async #watch(unit: Unit, group: ProcessGroup): Promise<void> {
    const exit = await group.exited;
    if (this.#ending.delete(group)) return;
    this.#running.delete(unit.name);
    if (!this.#over) this.#decide(unit, exit);
  }

  #decide(unit: Unit, exit: Exit): void {
    const { code } = exit;
    const isOneshot = unit === this.#options.units.oneshot;
    if (isOneshot && code === 0) {
      for (const service of this.#options.units.services) this.#launch(service);
    } else if (this.#options.waitsForRestart?.(unit.name, exit) === true) {
      return;
    } else if (this.#staysDown(isOneshot, code)) {
      this.#finish({ unit: unit.name, code });
      for (const group of this.#running.values()) group.signal("SIGTERM");
    } else {
      const timer = setTimeout(() => {
        this.#timers.delete(unit.name);
        this.#launch(unit);
      }, this.#nextDelayMs(unit.name));
      this.#timers.set(unit.name, timer);
    }
  }

  #staysDown(isOneshot: boolean, code: number | null): boolean {
    if (isOneshot) this.#oneshotStarts++;
    if (isOneshot && this.#oneshotStarts >= oneshotStartLimit) return true;
    return code !== null && (code === 0 || this.#options.stayDownCodes.has(code));
  }

  #nextDelayMs(unit: string): number {
    const ranMs = performance.now() - this.startedAt(unit);
    const before = ranMs > settledAfterMs ? undefined : this.#delays.get(unit);
    const delayMs = before === undefined ? leastDelayMs : Math.min(before * 2, mostDelayMs);
    this.#delays.set(unit, delayMs);
    return delayMs;
  }

  #finish(ending: Ending): void {
    this.#over = true;
    for (const name of this.#timers.keys()) this.#clearTimer(name);
    this.#end(ending);
  }

  #clearTimer(name: string): void {
    clearTimeout(this.#timers.get(name));
    this.#timers.delete(name);
  }
}
