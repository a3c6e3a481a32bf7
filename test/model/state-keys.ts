import type { State } from "./state.ts";

/**
 * Short exact keys for states: each part gets a number the first time that it is seen, a key is the list of its parts'
 * numbers.
 */
export class StateKeys {
  readonly #numbers = new Map<string, number>();
  readonly #known = new WeakMap<object, number>();

  /** `store` numbers what the bucket holds. */
  keyOf(state: State): { key: string; store: number } {
    const head = state.head === null ? -1 : this.#numberOf(state.head);
    const store = this.#numberOfText(`${head} ${this.#numberOf(state.epochs)}`);
    const machines = state.machines.map((machine) => this.#numberOf(machine));
    const rest = [
      store,
      this.#numberOf(state.histories),
      this.#numberOfText(state.replicated),
      state.faults,
      state.damaged ? 1 : 0,
    ];
    return { key: [...machines, ...rest].join(" "), store };
  }

  #numberOf(part: object): number {
    const known = this.#known.get(part);
    if (known !== undefined) return known;
    const number = this.#numberOfText(JSON.stringify(part));
    this.#known.set(part, number);
    return number;
  }

  #numberOfText(text: string): number {
    const number = this.#numbers.get(text) ?? this.#numbers.size;
    this.#numbers.set(text, number);
    return number;
  }
}
