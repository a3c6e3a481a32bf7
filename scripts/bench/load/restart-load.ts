import { setTimeout as sleep } from "node:timers/promises";

import { Type } from "typebox";
import { Value } from "typebox/value";

import { Author, type Write } from "../../drill/author.ts";
import { CutOff, HttpClient } from "../../drill/http-client.ts";
import type { Target } from "../../drill/http-client.ts";
import { seedRandom } from "../../drill/random.ts";

/** `keyed POST`: with an Idempotency-Key. */
export const requestKinds = ["GET", "keyed POST", "POST"] as const;
export type RequestKind = (typeof requestKinds)[number];

/** One request: when it was due to be sent, how long after that its answer was there, and what was wrong with it. Null: nothing. */
export type Sent = Readonly<{ kind: RequestKind; sentMs: number; tookMs: number; failure: string | null }>;

// Reads the database, and every product has it.
const readPath = "/effects/dead-letters";
// Of four requests, two read.
const turns: readonly RequestKind[] = ["GET", "keyed POST", "GET", "POST"];
const answerLimitMs = 30_000;

/**
 * Sends requests at a fixed rate, whether or not the ones before were answered, as many users do: a server that makes
 * people wait does not get fewer of them. `acknowledged` has every write that was answered as done.
 */
export class RestartLoad {
  readonly acknowledged: Write[] = [];
  readonly #client: HttpClient;
  readonly #name: string;
  readonly #author: Author;
  readonly #sent: Promise<Sent>[] = [];
  readonly #sending: Promise<void>;
  #keys = 0;
  #isOver = false;

  constructor(target: Target, perSecond: number) {
    this.#client = new HttpClient({ ...target, connections: Number.POSITIVE_INFINITY });
    this.#name = `restart-load-${target.name}`;
    this.#author = new Author({ name: this.#name, random: seedRandom(1), keyed: false, isLarge: false });
    this.#sending = this.#send(1000 / perSecond);
  }

  /** Sends no more, and waits for every answer. */
  async stop(): Promise<readonly Sent[]> {
    this.#isOver = true;
    await this.#sending;
    const sent = await Promise.all(this.#sent);
    this.#client[Symbol.dispose]();
    return sent;
  }

  async #send(everyMs: number): Promise<void> {
    for (let count = 0, dueMs = performance.now(); !this.#isOver; count += 1, dueMs += everyMs) {
      await sleep(Math.max(0, dueMs - performance.now()));
      this.#sent.push(this.#sendOne(turns[count % turns.length] ?? "GET", dueMs));
    }
  }

  async #sendOne(kind: RequestKind, sentMs: number): Promise<Sent> {
    const write = kind === "GET" ? null : this.#author.next();
    const failure = await this.#ask(kind, write);
    return { kind, sentMs, tookMs: performance.now() - sentMs, failure };
  }

  async #ask(kind: RequestKind, write: Write | null): Promise<string | null> {
    try {
      if (write === null) {
        const { status } = await this.#client.ask({ method: "GET", path: readPath }, answerLimitMs);
        return status === 200 ? null : `answered ${status}`;
      }
      const key = kind === "keyed POST" ? { "idempotency-key": `${this.#name}-${(this.#keys += 1)}` } : {};
      const { path, body } = write.made;
      const headers = { durability: "commit", ...key };
      const { status, text } = await this.#client.ask({ method: "POST", path, headers, body }, answerLimitMs);
      if (status !== 200 && status !== 201) return `answered ${status}`;
      this.acknowledged.push(write);
      this.#author.learn(write, Value.Parse(Created, JSON.parse(text)).id);
      return null;
    } catch (error) {
      if (error instanceof CutOff && error.cause instanceof Error) return error.cause.message;
      throw error;
    }
  }
}

const Created = Type.Object({ id: Type.String() });
