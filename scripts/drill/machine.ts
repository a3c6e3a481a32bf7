import { execFile } from "node:child_process";
import { randomBytes, randomUUID } from "node:crypto";
import { mkdirSync } from "node:fs";
import { readFile, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

import { waitFor, within } from "../../app/cli/wait-for.ts";
import { exitCodes } from "../../app/exit-codes.ts";
import type { BucketConfig } from "../../app/replica/s3-client.ts";
import type { AppBundle } from "../build/bundle-app.ts";
import { findFreePorts } from "../local/free-ports.ts";
import type { Leftovers } from "../local/leftovers.ts";
import { environmentOf, listUnits, type MachineDirectories, requireSocketRoom } from "../local/machine-units.ts";
import type { Command } from "../local/process-group.ts";
import { type Ending, Supervisor, type SupervisorOptions } from "../local/supervisor.ts";
import type { DrillMachine } from "./drill-machine.ts";
import { HttpClient, type Target } from "./http-client.ts";

/** What every machine of one drill shares. */
export type Site = Readonly<{
  directory: string;
  leftovers: Leftovers;
  litestream: string;
  /** The programs that the machine runs; a test of the drill gives it a broken app. */
  app: AppBundle;
  /** The Node that runs them; left out, it is the one that runs the drill. */
  node?: string;
  bucket: BucketConfig;
  bucketId: string;
  token: string;
}>;

type Programs = Readonly<{ options: SupervisorOptions; cli: Command }>;

const run = promisify(execFile);
const readyPollMs = 5;
const wordsPerLog = 12;

/** A machine of the drill, with its own disk, identity and port. Boot, Litestream and the app are real processes. */
export class Machine implements DrillMachine {
  readonly name: string;
  readonly frost = "SIGSTOP of every process";
  readonly target: Target;
  readonly #files: MachineDirectories;
  readonly #options: SupervisorOptions;
  readonly #cli: Command;
  #supervisor: Supervisor;

  private constructor(files: MachineDirectories, target: Target, { options, cli }: Programs) {
    this.name = target.name;
    this.#files = files;
    this.target = target;
    this.#options = options;
    this.#cli = cli;
    this.#supervisor = Supervisor.start(options);
  }

  get supervisor(): Supervisor {
    return this.#supervisor;
  }

  /** Starts a new machine. Does not wait for it. */
  static async switchOn(name: string, site: Site): Promise<Machine> {
    const files = makeDirectories(site.directory, name);
    const [port = 0] = await findFreePorts(1);
    const options = {
      units: listUnits(files, site),
      environment: environmentOf(files, {
        ...site,
        port,
        machineId: randomBytes(16).toString("hex"),
        bootId: randomUUID(),
      }),
      directory: files.home,
      logDirectory: files.logs,
      stayDownCodes: new Set<number>(Object.values(exitCodes)),
      leftovers: site.leftovers,
    };
    const cli = { file: site.node ?? process.execPath, words: [site.app.lifeboat] };
    return new Machine(files, { name, port, token: site.token }, { options, cli });
  }

  /** Stops cleanly, runs a verb of the machine's own command line, and boots again. Returns what the verb said. */
  async carryOutStopped(words: readonly string[]): Promise<string> {
    const exits = await this.#supervisor.stop();
    const failed = exits.find(({ code }) => code !== 0);
    if (failed !== undefined)
      throw new Error(`machine ${this.name} does not stop cleanly: it ended with ${failed.code ?? failed.signal}`);
    const { environment, directory } = this.#options;
    const said = await run(this.#cli.file, [...this.#cli.words, ...words], { cwd: directory, env: environment });
    this.#supervisor = Supervisor.start(this.#options);
    return said.stdout;
  }

  get databasePath(): string {
    return join(this.#files.data, "app.db");
  }

  get bootReportPath(): string {
    return join(this.#files.run, "boot-report.json");
  }

  /** Waits for the first 200 on /ready; returns the moment. Throws when the machine stays down or takes too long. */
  async waitUntilReady(timeoutMs: number): Promise<number> {
    using client = new HttpClient(this.target);
    let ending: Ending | null = null;
    void this.supervisor.ended.then((end) => (ending = end));
    const probe = async () => {
      if (ending !== null) return { ending };
      const answer = await client.ask({ method: "GET", path: "/ready" }, 1000);
      return answer.status === 200 ? { readyAt: performance.now() } : null;
    };
    const found = await waitFor(`/ready of machine ${this.name}`, probe, { timeoutMs, everyMs: readyPollMs });
    if ("readyAt" in found) return found.readyAt;
    throw new Error(`machine ${this.name} stays down: ${renderEnding(found.ending)}`);
  }

  readBootReport(): Promise<string> {
    return readFile(this.bootReportPath, "utf8");
  }

  copyDatabase(): Promise<string> {
    return Promise.resolve(this.databasePath);
  }

  cutPower(): Promise<number> {
    return Promise.resolve(this.supervisor.kill9());
  }

  freeze(): Promise<number> {
    return Promise.resolve(this.supervisor.pause());
  }

  wake(): Promise<number> {
    return Promise.resolve(this.supervisor.resume());
  }

  async waitForFence(timeoutMs: number): Promise<number> {
    const ending = await within("the fence of a superseded machine", timeoutMs, this.supervisor.ended);
    const endedAtMs = performance.now();
    if (ending.unit === "app" && ending.code === exitCodes.fenced) return endedAtMs;
    throw new Error(`machine ${this.name} should fence itself with ${exitCodes.fenced}, but ${renderEnding(ending)}`);
  }

  /** Deletes the machine's disk. Its logs stay, to explain what happened. */
  async destroyDisks(): Promise<void> {
    await rm(this.#files.home, { recursive: true, force: true, maxRetries: 5 });
  }

  /** The last lines of each of the machine's logs. */
  async readLastWords(): Promise<string> {
    const names = (await readdir(this.#files.logs)).toSorted();
    const texts = await Promise.all(
      names.map(async (name) => {
        const lines = (await readFile(join(this.#files.logs, name), "utf8")).trimEnd().split("\n").slice(-wordsPerLog);
        return [`--- machine ${this.name}, last lines of ${name}`, ...lines].join("\n");
      }),
    );
    return texts.join("\n");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.supervisor[Symbol.asyncDispose]();
  }
}

/** "app ended with 102", for people. */
function renderEnding(ending: Ending): string {
  return ending.unit === null ? `it was ${ending.cause}` : `${ending.unit} ended with ${ending.code}`;
}

function makeDirectories(directory: string, name: string): MachineDirectories {
  const home = join(directory, `machine-${name}`);
  const files = { home, data: join(home, "data"), run: join(home, "run"), logs: join(directory, `logs-${name}`) };
  requireSocketRoom(files);
  for (const path of Object.values(files)) mkdirSync(path, { recursive: true, mode: 0o700 });
  return files;
}
