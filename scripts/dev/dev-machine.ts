import { join } from "node:path";

import type { Transcript } from "../../app/cli/transcript.ts";
import { exitCodes } from "../../app/exit-codes.ts";
import type { Leftovers } from "../local/leftovers.ts";
import { environmentOf, listUnits, type MachineDirectories } from "../local/machine-units.ts";
import type { Exit } from "../local/process-group.ts";
import { type Ending, Supervisor } from "../local/supervisor.ts";
import { followLog, type LogFollower, renderDevLine } from "./follow-log.ts";

export type DevMachineOptions = Readonly<{
  directories: MachineDirectories;
  settings: Parameters<typeof environmentOf>[1];
  /** The folder of the app's sources. */
  sources: string;
  transcript: Transcript;
  leftovers: Leftovers;
}>;

const readyPollMs = 50;
// A change of the sources cures neither.
const final: ReadonlySet<number | null> = new Set([exitCodes.lostClaim, exitCodes.fenced]);

/** A developer's machine: runs boot, app and Litestream from the sources, and again when these change. */
export class DevMachine implements AsyncDisposable {
  readonly #options: DevMachineOptions;
  readonly #supervisor: Supervisor;
  readonly #logs: Record<string, LogFollower>;
  #waiting: string | null = null;
  #turn = 0;
  #work: Promise<void> = Promise.resolve();

  constructor(options: DevMachineOptions) {
    const { directories, settings, sources, leftovers, transcript } = options;
    this.#options = options;
    const follow = (unit: string, leastLevel: number) =>
      followLog(join(directories.logs, `${unit}.log`), (line) => {
        if (isWorthTelling(line, leastLevel)) transcript.line(renderDevLine(line));
      });
    this.#logs = { boot: follow("boot", 40), app: follow("app", 30) };
    const app = { boot: join(sources, "boot.ts"), main: join(sources, "main.ts") };
    this.#supervisor = Supervisor.start({
      units: listUnits(directories, { litestream: settings.litestream, app }),
      environment: environmentOf(directories, settings),
      directory: directories.home,
      logDirectory: directories.logs,
      stayDownCodes: new Set<number>(Object.values(exitCodes)),
      leftovers,
      waitsForRestart: (unit, exit) => this.#waits(unit, exit),
    });
  }

  /** Resolves when nothing will run any more. */
  get ended(): Promise<Ending> {
    return this.#supervisor.ended;
  }

  /** Takes a change of the sources: one of the product restarts the app, any other one starts with boot. */
  async change(paths: readonly string[]): Promise<void> {
    this.#turn += 1;
    this.#work = this.#restart(paths);
    await this.#work;
  }

  /**
   * Waits until the app serves, and reports it. Null when it waits for a change instead, or a newer start has begun.
   */
  async tellWhenReady(startedAt = performance.now()): Promise<void> {
    const turn = this.#turn;
    const { transcript, settings } = this.#options;
    while (this.#waiting === null && turn === this.#turn) {
      if (await isReady(settings.port)) {
        transcript.check("PASS", "the app serves", { evidence: "", durationMs: performance.now() - startedAt });
        return;
      }
      await new Promise((resolve) => setTimeout(resolve, readyPollMs));
    }
  }

  /** Stops the app first: what it has acknowledged goes to the store. */
  async stop(): Promise<readonly Exit[]> {
    this.#turn += 1;
    await this.#work;
    const exits = await this.#supervisor.stop(60_000);
    for (const log of Object.values(this.#logs)) log.flush();
    return exits;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#turn += 1;
    await this.#supervisor[Symbol.asyncDispose]();
    for (const log of Object.values(this.#logs)) {
      log.flush();
      log[Symbol.dispose]();
    }
  }

  async #restart(paths: readonly string[]): Promise<void> {
    const { transcript } = this.#options;
    const appAlone = this.#waiting !== "boot" && paths.every((path) => path.startsWith("service/"));
    const [first = ""] = paths;
    const others = paths.length > 1 ? ` and ${paths.length - 1} more` : "";
    transcript.line(`app/${first}${others} changed: ${appAlone ? "the app starts again" : "everything boots again"}`);
    this.#waiting = null;
    const startedAt = performance.now();
    await this.#supervisor.restart(appAlone ? "app" : null);
    void this.tellWhenReady(startedAt);
  }

  #waits(unit: string, { code, signal }: Exit): boolean {
    if (unit === "litestream" || final.has(code)) return false;
    this.#waiting = unit;
    this.#logs[unit]?.flush();
    const anew =
      code === exitCodes.refused
        ? "; only if the development data is in the way, delete it: npm run dev -- --fresh"
        : "";
    this.#options.transcript.check("FAIL", `${unit} ended with ${code ?? signal}`, {
      evidence: `waiting for a change in app/${anew}`,
    });
    return true;
  }
}

async function isReady(port: number): Promise<boolean> {
  try {
    const answer = await fetch(`http://127.0.0.1:${port}/ready`, { signal: AbortSignal.timeout(1_000) });
    await answer.body?.cancel();
    return answer.status === 200;
  } catch {
    return false;
  }
}

function isWorthTelling(line: string, leastLevel: number): boolean {
  const [, level] = /^\{"level":(\d+),/.exec(line) ?? [];
  return level === undefined || Number(level) >= leastLevel;
}
