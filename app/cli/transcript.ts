import type { Writable } from "node:stream";

import { renderSeconds } from "./quantity.ts";

type Mark = "PASS" | "WARN" | "FAIL";

const stepWidth = 44;
const secondsWidth = 9;
const progressEveryMs = 10_000;
const colours = { PASS: "32", WARN: "33", FAIL: "31" } as const;

export type TranscriptOptions = Readonly<{ output: Writable & { isTTY?: boolean }; colour: boolean }>;

type Step<Result> = Readonly<{
  name: string;
  act: () => Promise<Result>;
  evidence: (result: Result) => string;
  markOfFailure: Mark;
}>;

/** A verb's output for people: one aligned line for each step, with a mark, the seconds and the evidence. */
export class Transcript {
  readonly #output: TranscriptOptions["output"];
  readonly #colour: boolean;
  #progress: (() => string) | null = null;

  constructor({ output, colour }: TranscriptOptions) {
    this.#output = output;
    this.#colour = colour;
  }

  /** Prints an empty line and a heading. */
  heading(text: string): void {
    this.#output.write(`\n${text}\n`);
  }

  line(text: string): void {
    this.#output.write(`${text}\n`);
  }

  /** Runs one step and prints its line. The evidence is made from the result. A step that throws is marked FAIL. */
  async step<Result>(name: string, act: () => Promise<Result>, evidence: (result: Result) => string): Promise<Result> {
    return this.#run({ name, act, evidence, markOfFailure: "FAIL" });
  }

  /** The same for a step that may fail: it is marked WARN, and throws. */
  async attempt<Result>(
    name: string,
    act: () => Promise<Result>,
    evidence: (result: Result) => string,
  ): Promise<Result> {
    return this.#run({ name, act, evidence, markOfFailure: "WARN" });
  }

  async #run<Result>({ name, act, evidence, markOfFailure }: Step<Result>): Promise<Result> {
    const startedAt = performance.now();
    const timer = this.#watch(name, startedAt);
    try {
      const result = await act();
      this.check("PASS", name, { evidence: evidence(result), durationMs: performance.now() - startedAt });
      return result;
    } catch (error) {
      this.check(markOfFailure, name, { evidence: "", durationMs: performance.now() - startedAt });
      throw error;
    } finally {
      clearInterval(timer);
      this.#progress = null;
    }
  }

  /** Runs a step that does not throw when it fails: `render` says how its result is marked. */
  async judge<Result>(
    name: string,
    act: () => Promise<Result>,
    render: (result: Result) => { mark: Mark; evidence: string },
  ): Promise<Result> {
    const startedAt = performance.now();
    const timer = this.#watch(name, startedAt);
    try {
      const result = await act();
      const { mark, evidence } = render(result);
      this.check(mark, name, { evidence, durationMs: performance.now() - startedAt });
      return result;
    } finally {
      clearInterval(timer);
      this.#progress = null;
    }
  }

  /** Sets the text for the lines during a long step. It is called every ten seconds until the step is over. */
  showProgress(progress: () => string): void {
    this.#progress = progress;
  }

  /** One line. */
  check(mark: Mark, name: string, { evidence, durationMs }: { evidence: string; durationMs?: number }): void {
    const seconds = durationMs === undefined ? "" : renderSeconds(durationMs);
    const text = `${name.padEnd(stepWidth)}${seconds.padStart(secondsWidth)}  ${evidence}`;
    this.line(`${this.#paint(mark)} ${text.trimEnd()}`);
  }

  #watch(name: string, startedAt: number): NodeJS.Timeout {
    return setInterval(() => this.#note(name, performance.now() - startedAt), progressEveryMs);
  }

  #note(name: string, durationMs: number): void {
    const words = this.#progress?.() ?? "";
    this.line(
      `  ...  ${name.padEnd(stepWidth)}${renderSeconds(durationMs).padStart(secondsWidth)}  ${words}`.trimEnd(),
    );
  }

  #paint(mark: Mark): string {
    return this.#colour ? `\u001B[${colours[mark]}m[${mark}]\u001B[0m` : `[${mark}]`;
  }
}

/** With --json the transcript goes to stderr. Colour only on a terminal, and never when NO_COLOR is set. */
export function openTranscript({ json }: { json: boolean }): Transcript {
  const output = json ? process.stderr : process.stdout;
  return new Transcript({ output, colour: output.isTTY && (process.env["NO_COLOR"] ?? "") === "" });
}
