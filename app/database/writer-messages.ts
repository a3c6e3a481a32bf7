import type { Worker } from "node:worker_threads";

import type { Idempotency } from "./idempotency.ts";
import type { AppliedMigration } from "./migration-history.ts";
import type { MigrationNote } from "./migration.ts";
import type { LocalDurability, WriteAnswer } from "./write-outcome.ts";

/** The messages between the main thread and the writer thread. A command travels by name, never as SQL. */
export type WriteRequest = {
  id: number;
  command: string;
  input: unknown;
  durability: LocalDurability;
  idempotency?: Idempotency;
  /** Answers from a stored result, or rejects with `nothing-to-replay`. The command does not run. */
  replayOnly?: boolean;
};

export type MessageToThread =
  | { kind: "migrate"; restorePoint: string | null }
  | { kind: "execute"; requests: WriteRequest[] }
  | { kind: "close" };

export type MessageFromThread =
  | { kind: "opened"; pending: readonly MigrationNote[]; unknown: readonly AppliedMigration[]; holdsData: boolean }
  | { kind: "step"; migration: MigrationNote }
  | { kind: "migrated" }
  /** Another start would end the same way. */
  | { kind: "refused"; cause: string }
  /** `hasSent`: a command of the group may have put an effect into the outbox. */
  | { kind: "answers"; answers: WriteAnswer[]; hasSent: boolean };

/**
 * The data that the thread starts with. `fence` becomes 1 when nothing may be written any more. The thread writes the
 * id of the request whose command runs to `running`, or 0.
 */
export type WriterThreadData = {
  databasePath: string;
  fence: Int32Array<SharedArrayBuffer>;
  running: BigInt64Array<SharedArrayBuffer>;
};

/** Sends one message to the thread. */
export function sendToThread(worker: Worker, message: MessageToThread): void {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
  worker.postMessage(message);
}

type Unsendable = (request: WriteRequest, error: unknown) => void;

/** Sends the requests of one turn of the event loop in one message: a message costs more than a request in it. */
export class RequestBatch {
  readonly #worker: Worker;
  readonly #onUnsendable: Unsendable;
  #requests: WriteRequest[] = [];

  /** `onUnsendable` hears of a request whose input cannot travel between threads, such as a function. */
  constructor(worker: Worker, onUnsendable: Unsendable) {
    this.#worker = worker;
    this.#onUnsendable = onUnsendable;
  }

  add(request: WriteRequest): void {
    if (this.#requests.push(request) === 1) setImmediate(() => this.send());
  }

  /** Sends at once what is waiting. */
  send(): void {
    const requests = this.drop();
    if (requests.length === 0) return;
    try {
      sendToThread(this.#worker, { kind: "execute", requests });
    } catch {
      // Nothing was sent. One of them is the reason, and the others must not fail with it.
      for (const request of requests) this.#sendAlone(request);
    }
  }

  /** Takes out what is waiting. */
  drop(): WriteRequest[] {
    const requests = this.#requests;
    this.#requests = [];
    return requests;
  }

  #sendAlone(request: WriteRequest): void {
    try {
      sendToThread(this.#worker, { kind: "execute", requests: [request] });
    } catch (error) {
      this.#onUnsendable(request, error);
    }
  }
}
