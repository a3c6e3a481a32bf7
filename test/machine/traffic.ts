import { setTimeout as sleep } from "node:timers/promises";

import { Type } from "typebox";
import { Value } from "typebox/value";

import { waitFor } from "../../app/cli/wait-for.ts";
import type { SystemdMachine } from "./systemd-machine.ts";

const pauseMs = 20;
const createdSchema = Type.Object({ id: Type.String() });

/** Writes with durability `bucket`, one after the other, that remembers what was acknowledged and when. */
export class Traffic {
  readonly #machine: SystemdMachine;
  readonly #acknowledged: { path: string; at: number }[] = [];
  readonly #refused: number[] = [];
  readonly #done: Promise<void>;
  #stopped = false;

  private constructor(machine: SystemdMachine) {
    this.#machine = machine;
    this.#done = this.#write();
  }

  static start(machine: SystemdMachine): Traffic {
    return new Traffic(machine);
  }

  /** Waits until so many more have been acknowledged. */
  async waitForWrites(count: number): Promise<void> {
    const enough = this.#acknowledged.length + count;
    const probe = async () => (this.#acknowledged.length >= enough ? true : null);
    await waitFor(`${count} more writes`, probe, { timeoutMs: 60_000 });
  }

  /** The longest time between two acknowledged writes, where they are read, and the other answers; 0 for none. */
  async stop(): Promise<{ acknowledged: string[]; refused: number[]; longestGapMs: number }> {
    this.#stopped = true;
    await this.#done;
    const times = this.#acknowledged.map(({ at }) => at);
    const gaps = times.map((at, index) => at - (times[index - 1] ?? at));
    return {
      acknowledged: this.#acknowledged.map(({ path }) => path),
      refused: this.#refused,
      longestGapMs: Math.round(Math.max(0, ...gaps)),
    };
  }

  async #write(): Promise<void> {
    for (let number = 1; !this.#stopped; number++) {
      const customer = { name: "Ada", email: `ada-${number}@example.test` };
      const { status, body } = await this.#machine.ask("POST", "/customers", customer);
      if (status === 201)
        this.#acknowledged.push({
          path: `/customers/${Value.Parse(createdSchema, body).id}`,
          at: performance.now(),
        });
      else this.#refused.push(status);
      await sleep(pauseMs);
    }
  }
}
