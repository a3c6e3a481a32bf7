import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";

import { Type } from "typebox";
import { Value } from "typebox/value";

import { within } from "../../app/cli/wait-for.ts";

const answerLimitMs = 30_000;

const Message = Type.Object({
  return: Type.Optional(Type.Unknown()),
  error: Type.Optional(Type.Object({ desc: Type.String() })),
  event: Type.Optional(Type.String()),
  data: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
});

type Question = Readonly<{ resolve(result: unknown): void; reject(error: Error): void }>;
type Listener = (event: string, data: Readonly<Record<string, unknown>>) => void;

/** QEMU's own protocol: a line for a command, a line for its answer, in order; the greeting and events come between. */
export class Qmp {
  readonly #input: Writable;
  readonly #questions: Question[] = [];
  readonly #listeners = new Set<Listener>();
  #over = false;

  constructor(input: Writable, output: Readable) {
    this.#input = input;
    input.on("error", () => undefined); // Whoever asks hears that QEMU has ended.
    const lines = createInterface({ input: output });
    lines.on("line", (line) => this.#take(Value.Parse(Message, JSON.parse(line))));
    lines.on("close", () => this.#end());
  }

  /** Throws with QEMU's words when it refuses. */
  async tell(command: string, words: Readonly<Record<string, unknown>> = {}): Promise<unknown> {
    if (this.#over) throw new Error(`${command}: QEMU has ended`);
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    this.#questions.push({ resolve, reject: (error) => reject(new Error(`${command}: ${error.message}`)) });
    this.#input.write(`${JSON.stringify({ execute: command, arguments: words })}\n`);
    return within(`QEMU's answer to ${command}`, answerLimitMs, promise);
  }

  /** A command for people, which answers with words; none when all is well. */
  async order(line: string): Promise<void> {
    const words = String(await this.tell("human-monitor-command", { "command-line": line })).trim();
    if (words !== "") throw new Error(`${line}: ${words}`);
  }

  /** Begins to listen at once, and resolves with the first such event. */
  async event(name: string, matches: (data: Readonly<Record<string, unknown>>) => boolean): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const listen: Listener = (event, data) => {
      if (event === name && matches(data)) resolve();
    };
    this.#listeners.add(listen);
    try {
      await within(`QEMU's event ${name}`, answerLimitMs, promise);
    } finally {
      this.#listeners.delete(listen);
    }
  }

  #take({ event, data = {}, error, ...answer }: Type.Static<typeof Message>): void {
    if (event !== undefined) for (const listen of this.#listeners) listen(event, data);
    else if (error !== undefined) this.#questions.shift()?.reject(new Error(error.desc));
    else if ("return" in answer) this.#questions.shift()?.resolve(answer.return);
  }

  #end(): void {
    this.#over = true;
    for (const question of this.#questions.splice(0)) question.reject(new Error("QEMU has ended"));
  }
}
