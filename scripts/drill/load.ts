import { setTimeout as sleep } from "node:timers/promises";

import { Author, type Write } from "./author.ts";
import type { Durability } from "./facts.ts";
import { HttpClient, type Target } from "./http-client.ts";
import type { Entry, Ledger } from "./ledger.ts";
import { seedRandom } from "./random.ts";
import { type Outcome, sendWrite } from "./send-write.ts";

/** `name` is unique in the drill: every client's writes begin with it. */
export type LoadOptions = Readonly<{ name: string; target: Target; ledger: Ledger; seed: number }>;

export type ClientPlan = Readonly<{ durability: Durability; keyed?: boolean; isLarge?: boolean; pauseMs: number }>;

/** A write that was cut off, with a key to repeat it. */
export type Unfinished = Readonly<{ write: Write; entry: Entry; durability: Durability }>;

const refusedPauseMs = 100;
const attemptLimit = 5;

/** The mixed load: nine clients, five of them with Idempotency-Keys. The pauses leave two cores time for the rest. */
export const mixedClients: readonly ClientPlan[] = [
  ...[false, true, false, true].map((keyed) => ({ durability: "bucket" as const, keyed, pauseMs: 0 })),
  ...[false, true, true].map((keyed) => ({ durability: "commit" as const, keyed, pauseMs: 5 })),
  ...[false, true].map((keyed) => ({ durability: "disk" as const, keyed, pauseMs: 5 })),
];

/** Several clients that write to one machine, each one write at a time, until they are stopped or cut off. */
export class Load {
  readonly unfinished: Unfinished[] = [];
  readonly #options: LoadOptions;
  readonly #stopped = new Set<Durability>();
  readonly #clients = new Map<Promise<void>, Durability>();
  #started = 0;
  #cutOff = 0;

  constructor(options: LoadOptions) {
    this.#options = options;
  }

  start(plans: readonly ClientPlan[]): void {
    for (const plan of plans) {
      this.#started += 1;
      const name = `${this.#options.name}-${plan.durability}-${this.#started}`;
      const random = seedRandom(this.#options.seed + this.#started);
      const author = new Author({ name, random, keyed: plan.keyed ?? false, isLarge: plan.isLarge ?? false });
      const client = this.#write(author, plan);
      client.catch(() => null); // Looked at in stop() and assertHealthy().
      this.#clients.set(client, plan.durability);
    }
  }

  /** Throws when a client has met a broken answer, or lost the server although nobody killed it. */
  async assertHealthy(): Promise<void> {
    const soon = sleep(0);
    await Promise.all([...this.#clients.keys()].map((client) => Promise.race([client, soon])));
    if (this.#cutOff > 0)
      throw new Error(`${this.#cutOff} clients lost machine ${this.#options.target.name} during the load`);
  }

  /** Lets the clients of one durability (all, when none is named) finish what they are waiting for, and end. */
  async stop(durability?: Durability): Promise<void> {
    const stopping = durability === undefined ? (["commit", "disk", "bucket"] as const) : [durability];
    for (const stopped of stopping) this.#stopped.add(stopped);
    await Promise.all([...this.#clients].filter(([, of]) => this.#stopped.has(of)).map(([client]) => client));
  }

  async #write(author: Author, { durability, pauseMs }: ClientPlan): Promise<void> {
    const { target, ledger } = this.#options;
    using client = new HttpClient(target);
    const sending = { client, ledger, durability };
    while (!this.#stopped.has(durability)) {
      const write = author.next();
      const entry = ledger.open(write.fact);
      const outcome = await sendUntilSettled(write, entry, sending);
      if (outcome.kind === "gone") {
        this.#cutOff += 1;
        if (write.key !== null && entry.state === "unknown") this.unfinished.push({ write, entry, durability });
        return;
      }
      if ("id" in outcome) author.learn(write, outcome.id);
      const restMs = outcome.kind === "refused" ? refusedPauseMs : pauseMs;
      if (restMs > 0) await sleep(restMs);
    }
  }
}

/** Repeats a write that fell short or has an unknown outcome, as a careful client would; only a key makes that safe. */
async function sendUntilSettled(...[write, entry, sending]: Parameters<typeof sendWrite>): Promise<Outcome> {
  for (let attempt = 1; ; attempt += 1) {
    const outcome = await sendWrite(write, entry, sending);
    const settled = outcome.kind !== "fell-short" && outcome.kind !== "unknown";
    if (settled || write.key === null || attempt === attemptLimit) return outcome;
  }
}
