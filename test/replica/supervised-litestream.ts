import type { ProcessGroup } from "../../scripts/local/process-group.ts";

const restartAfterMs = 200;

/** Litestream as a supervisor keeps it: started again whenever it ends, until the life that it belongs to ends. */
export class SupervisedLitestream {
  readonly #start: () => ProcessGroup;
  #group: ProcessGroup;
  #timer: NodeJS.Timeout | null = null;
  #over = false;

  constructor(start: () => ProcessGroup) {
    this.#start = start;
    this.#group = this.#launch();
  }

  /** Resolves when it has ended for good. */
  async end(signal: "SIGKILL" | "SIGTERM"): Promise<void> {
    this.#over = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#group.signal(signal);
    await this.#group.exited;
  }

  #launch(): ProcessGroup {
    const group = this.#start();
    void this.#restartAfter(group);
    return group;
  }

  async #restartAfter(group: ProcessGroup): Promise<void> {
    await group.exited;
    if (!this.#over) this.#timer = setTimeout(() => (this.#group = this.#launch()), restartAfterMs);
  }
}
