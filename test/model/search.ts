import { bootNewMachine, findViolation, type Invariant, type Rescue, type Violation } from "./invariants.ts";
import { nextSteps, startingState } from "./next-steps.ts";
import { StateKeys } from "./state-keys.ts";
import type { State } from "./state.ts";
import type { Rules } from "./turn.ts";

type Found = Violation & { count: number; trace: string[] };

export type SearchResult = {
  states: number;
  transitions: number;
  /** Every state within the bounds was looked at (those behind a violation are not looked for). */
  complete: boolean;
  seconds: number;
  violations: Partial<Record<Invariant, Found>>;
  /** What the table answered anywhere, as "row act content". */
  plans: string[];
};

export type SearchOptions = {
  rules: Rules;
  /**
   * How many machines have come up already, undisturbed and one after the other; 0 starts before the very first boot.
   */
  lives?: number;
  stopAtViolation?: boolean;
  statesLimit?: number;
  secondsLimit?: number;
};

type Visit = { from: number; choice: number };

/** Looks at every state within the bounds, breadth first, so that traces are the shortest. */
export function searchStates(options: SearchOptions): SearchResult {
  return new Search(options).run();
}

class Search {
  readonly #options: SearchOptions;
  readonly #rules: Rules;
  readonly #start: State;
  readonly #keys = new StateKeys();
  readonly #seen = new Set<string>();
  readonly #visits: Visit[] = [];
  readonly #rescues = new Map<number, Rescue>();
  readonly #violations: Partial<Record<Invariant, Found>> = {};
  readonly #plans = new Set<string>();
  readonly #startedMs = performance.now();
  #frontier: { state: State; visit: number }[] = [];
  #transitions = 0;

  constructor(options: SearchOptions) {
    this.#options = options;
    const { decide } = options.rules;
    this.#rules = {
      ...options.rules,
      decide: (facts) => {
        const plan = decide(facts);
        this.#plans.add(plan.act === "claim" ? `${plan.row} claim ${plan.content}` : `${plan.row} ${plan.act}`);
        return plan;
      },
    };
    this.#start = startingState(options.rules, options.lives ?? 0);
  }

  run(): SearchResult {
    this.#visit(this.#start, { from: -1, choice: 0 });
    while (this.#frontier.length > 0 && !this.#isStopped()) this.#expandFrontier();
    return {
      states: this.#visits.length,
      transitions: this.#transitions,
      complete: this.#frontier.length === 0,
      seconds: this.#elapsedSeconds(),
      violations: this.#violations,
      plans: [...this.#plans].toSorted((a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10)),
    };
  }

  /** One step deeper; what the limits cut off stays in the frontier. */
  #expandFrontier(): void {
    const level = this.#frontier;
    this.#frontier = [];
    for (const [at, { state, visit }] of level.entries()) {
      if (this.#isStopped()) {
        this.#frontier = [...this.#frontier, ...level.slice(at)];
        return;
      }
      for (const [choice, step] of nextSteps(state, this.#rules).entries()) {
        this.#transitions++;
        this.#visit(step.next, { from: visit, choice });
      }
    }
  }

  #visit(state: State, visit: Visit): void {
    const { key, store } = this.#keys.keyOf(state);
    if (this.#seen.has(key)) return;
    this.#seen.add(key);
    const index = this.#visits.push(visit) - 1;
    const violation = findViolation(state, this.#rescueFrom(store, state));
    if (violation === null) this.#frontier.push({ state, visit: index });
    else this.#note(violation, index);
  }

  #rescueFrom(store: number, state: State): Rescue {
    const known = this.#rescues.get(store);
    if (known !== undefined) return known;
    const outcome = bootNewMachine(state, this.#options.rules);
    this.#rescues.set(store, outcome);
    return outcome;
  }

  #note(violation: Violation, index: number): void {
    const found = this.#violations[violation.invariant];
    if (found === undefined)
      this.#violations[violation.invariant] = { ...violation, count: 1, trace: this.#traceTo(index) };
    else found.count++;
  }

  /** Walks again from the start, by the choices that led here. */
  #traceTo(index: number): string[] {
    const choices: number[] = [];
    for (let visit = this.#visits[index]; visit !== undefined && visit.from >= 0; visit = this.#visits[visit.from]) {
      choices.unshift(visit.choice);
    }
    let state = this.#start;
    return choices.map((choice) => {
      const step = nextSteps(state, this.#rules)[choice];
      if (step === undefined) throw new Error("nextSteps gave other steps than before: it is not a pure function");
      state = step.next;
      return step.label;
    });
  }

  #isStopped(): boolean {
    const {
      stopAtViolation = false,
      statesLimit = Number.POSITIVE_INFINITY,
      secondsLimit = Number.POSITIVE_INFINITY,
    } = this.#options;
    if (stopAtViolation && Object.keys(this.#violations).length > 0) return true;
    return this.#visits.length >= statesLimit || this.#elapsedSeconds() >= secondsLimit;
  }

  #elapsedSeconds(): number {
    return (performance.now() - this.#startedMs) / 1000;
  }
}
