import { setTimeout as sleep } from "node:timers/promises";

import { Background, type BackgroundOptions } from "../../app/background/background.ts";
import type { Job } from "../../app/background/job.ts";
import { type Command, defineCommand, indexCommands } from "../../app/database/command.ts";
import { commitGroup } from "../../app/database/group-commit.ts";
import { noteJobRun } from "../../app/database/job-runs.ts";
import { countFailure, forgetPerformed, sendAgain } from "../../app/database/outbox-commands.ts";
import { type OutboxHandler } from "../../app/database/outbox.ts";
import type { Reports } from "../../app/database/reports.ts";
import { runTransaction, type Transaction } from "../../app/database/transaction.ts";
import { readAnswer } from "../../app/database/write-outcome.ts";
import type { Writer } from "../../app/database/writer.ts";
import { makeGroupFixture } from "../database/notes-database.ts";
import { recordLog } from "../recorded-log.ts";

type Sending = { handler: OutboxHandler<string>; payload: string };

const sendOne = defineCommand("send-one", function* ({ handler, payload }: Sending, { send }): Transaction<string> {
  return yield* send(handler, payload);
});
const kit: readonly Command[] = [sendOne, forgetPerformed, countFailure, sendAgain, noteJobRun];

/** A real database and the engine's real commands; the replica does what the test says. */
export class House implements AsyncDisposable {
  readonly #fixture = makeGroupFixture();
  readonly #started: Background[] = [];
  readonly logged = recordLog();
  state: "living" | "fenced" = "living";
  /** How often a proof was asked for. */
  proofs = 0;
  refusal: Error | null = null;
  isWriterRefusing = false;
  /** Between the commit of a command and its answer. */
  afterCommit: () => Promise<void> | void = () => undefined;
  prove: () => Promise<void> = () => Promise.resolve();
  runReport: Reports["run"] = () => Promise.reject(new Error("no report is expected"));

  send(name: string, payload: string): void {
    const handler = { name, perform: () => Promise.resolve() };
    this.#commit(sendOne.name, { handler, payload });
    for (const background of this.#started) background.wake();
  }

  /** What a machine starts with this database; `handlers` are by name. */
  start(
    outbox: readonly OutboxHandler[],
    jobs: readonly Job[] = [],
    options: Partial<Pick<BackgroundOptions, "limits" | "nowMs">> = {},
  ): Background {
    const readState = (): House["state"] => this.state;
    const background = new Background({
      product: { outbox, jobs },
      reader: { read: (reading) => runTransaction(this.#fixture.db, reading) },
      reports: { run: (name, input, signal) => this.runReport(name, input, signal) },
      writer: { execute: (command, input) => this.#execute(command, input) },
      replication: {
        get state() {
          return readState();
        },
        replicate: () => {
          this.proofs += 1;
          return this.refusal === null ? this.prove() : Promise.reject(this.refusal);
        },
      },
      log: this.logged.log,
      ...options,
      limits: { proofEveryMs: 1, firstRetryMs: 5, lastRetryMs: 10, ...options.limits },
    });
    this.#started.push(background);
    background.start();
    return background;
  }

  read<Result>(reading: Transaction<Result>): Result {
    return runTransaction(this.#fixture.db, reading);
  }

  retry(id: string): void {
    this.#commit(sendAgain.name, { id });
    for (const background of this.#started) background.wake();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const background of this.#started) await background.stop(0);
    await sleep(20);
    this.#fixture[Symbol.dispose]();
  }

  async #execute(command: string, input: unknown): ReturnType<Writer["execute"]> {
    if (this.isWriterRefusing) throw new Error("the writer refuses");
    const outcome = this.#commit(command, input);
    await this.afterCommit();
    return outcome;
  }

  #commit(command: string, input: unknown): Awaited<ReturnType<Writer["execute"]>> {
    const outbox = { handlers: new Set(["mail", "post", "gone"]), onSend: () => undefined };
    const engine = { ...this.#fixture.engine, commands: indexCommands(kit), outbox };
    const [answer] = commitGroup(engine, [{ id: 1, durability: "commit", command, input }]);
    if (answer === undefined) throw new Error("no answer");
    const outcome = readAnswer(answer);
    if (outcome instanceof Error) throw outcome;
    return outcome;
  }
}
