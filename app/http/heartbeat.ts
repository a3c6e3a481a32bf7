import type { FastifyBaseLogger } from "fastify";

import type { Server } from "./product-routes.ts";
import type { HeartbeatConfig } from "./server-config.ts";

/** Calls a URL about once a minute while the server runs, but only while `isProven` returns true. */
export function addHeartbeat(server: Server, config: HeartbeatConfig, isProven: () => boolean): void {
  const heartbeat = new Heartbeat(config, isProven, server.log);
  server.addHook("onListen", async () => heartbeat.start());
  server.addHook("preClose", (done) => {
    heartbeat.stop();
    done();
  });
}

const looksPerCall = 60;

class Heartbeat {
  readonly #url: string;
  /** The whole URL is a secret: whoever has it can suppress the alarm. */
  readonly #host: string;
  readonly #everyMs: number;
  readonly #limitMs: number;
  readonly #isProven: () => boolean;
  readonly #log: FastifyBaseLogger;
  readonly #over = new AbortController();
  #timer: NodeJS.Timeout | null = null;
  #calledAt = Number.NEGATIVE_INFINITY;
  #isCalling = false;
  #isFailing = false;
  #isDoubted = false;

  constructor(
    { url, everyMs = 60_000, limitMs = 10_000 }: HeartbeatConfig,
    isProven: () => boolean,
    log: FastifyBaseLogger,
  ) {
    this.#url = url;
    this.#host = new URL(url).host;
    this.#everyMs = everyMs;
    this.#limitMs = limitMs;
    this.#isProven = isProven;
    this.#log = log;
  }

  /** Checks more often than it calls, so that the first proof after a pause is reported at once. */
  start(): void {
    this.#timer = setInterval(() => this.#look(), this.#everyMs / looksPerCall).unref();
  }

  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#over.abort();
  }

  #look(): void {
    if (this.#isCalling || performance.now() - this.#calledAt < this.#everyMs || !this.#findProof()) return;
    this.#isCalling = true;
    this.#calledAt = performance.now();
    void this.#call().finally(() => {
      this.#isCalling = false;
    });
  }

  /** An error in the check counts as no proof, and must not end the process from a timer. */
  #findProof(): boolean {
    try {
      const isProven = this.#isProven();
      this.#isDoubted = false;
      return isProven;
    } catch (err) {
      if (!this.#isDoubted) this.#log.warn({ err }, "whether replication is proven cannot be judged; no heartbeat");
      this.#isDoubted = true;
      return false;
    }
  }

  async #call(): Promise<void> {
    try {
      const signal = AbortSignal.any([this.#over.signal, AbortSignal.timeout(this.#limitMs)]);
      const answer = await fetch(this.#url, { signal });
      await answer.body?.cancel();
      if (answer.ok) this.#noteSuccess();
      else this.#noteFailure(`it answered ${answer.status}`);
    } catch (error) {
      this.#noteFailure(nameFault(error));
    }
  }

  #noteSuccess(): void {
    if (this.#isFailing) this.#log.info({ host: this.#host }, "the heartbeat arrives again");
    this.#isFailing = false;
  }

  // Calls are a minute apart, so a limit of one log line a minute would log every one.
  #noteFailure(cause: string): void {
    if (this.#over.signal.aborted || this.#isFailing) return;
    this.#isFailing = true;
    this.#log.warn(
      { host: this.#host, cause },
      "the heartbeat URL cannot be called; whoever waits for it will raise an alarm",
    );
  }
}

/** The error's code or name only: its message may contain the URL. */
function nameFault(error: unknown): string {
  if (!(error instanceof Error)) return typeof error;
  if (error.cause !== undefined) return nameFault(error.cause);
  return "code" in error && typeof error.code === "string" ? error.code : error.name;
}
