import type { Log } from "../log.ts";
import { BucketError } from "../replica/bucket-error.ts";

/** The faults since the bucket was understood the last time. Each is logged once. */
export class Faults {
  readonly #log: Log;
  #last = "";
  count = 0;
  /** Whether the last one was no fault of the bucket. */
  isOwn = false;

  constructor(log: Log) {
    this.#log = log;
  }

  add(err: unknown): void {
    this.count += 1;
    this.isOwn = !(err instanceof BucketError);
    if (String(err) !== this.#last) this.#log.error({ err }, "the wish for this machine cannot be read or carried out");
    this.#last = String(err);
  }

  end(): void {
    if (this.count > 0) this.#log.info({ attempts: this.count }, "the wish for this machine can be read again");
    this.#last = "";
    this.count = 0;
    this.isOwn = false;
  }
}
