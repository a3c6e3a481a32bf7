import { nextId } from "./next-id.ts";
import { type OutboxDoor, type OutboxHandler, sendEffect } from "./outbox.ts";
import type { Reading, Transaction } from "./transaction.ts";

/**
 * What the engine gives to a command besides its input. A command takes time and ids from here only, so that it is a
 * function of its input, the rows and the clock.
 */
export type CommandContext = {
  /** When the command runs, by this machine's clock. */
  readonly now: Date;
  /** Makes the id of a new row: a UUID of version 7 that sorts after every id that it made for this table before. */
  readonly nextId: (table: string) => Reading<string>;
  /**
   * Records a side effect in this transaction. Its handler performs it at least once, and only after the commit is in
   * the bucket. Gives the id that the handler gets. A handler that the product does not have fails the command.
   */
  readonly send: <Payload>(handler: OutboxHandler<Payload>, payload: Payload) => Transaction<string>;
};

/** A write that the writer can run. Its input was validated before. */
export type Command<Input = never, Result = unknown> = {
  readonly name: string;
  readonly run: (input: Input, context: CommandContext) => Transaction<Result>;
};

/**
 * Names a command. The name is stored with every Idempotency-Key, so a renamed command does not find the results stored
 * before.
 */
export function defineCommand<Input, Result>(name: string, run: Command<Input, Result>["run"]): Command<Input, Result> {
  return { name, run };
}

/** Makes the context for one run at this time, in milliseconds since 1970. */
export function makeCommandContext(nowMs: number, { handlers, onSend } = closedOutbox): CommandContext {
  return {
    now: new Date(nowMs),
    nextId: (table) => nextId(table, nowMs),
    send: ({ name }, payload) => {
      if (!handlers.has(name)) throw new Error(`no outbox handler "${name}"; add it to the product's outbox`);
      onSend();
      return sendEffect(name, payload, nowMs);
    },
  };
}

const closedOutbox: OutboxDoor = { handlers: new Set(), onSend: () => undefined };

/** Indexes commands by name. Throws Error when two have the same name. */
export function indexCommands(commands: readonly Command[]): ReadonlyMap<string, Command> {
  const byName = new Map<string, Command>();
  for (const command of commands) {
    if (byName.has(command.name)) throw new Error(`two commands are named "${command.name}"; give each its own name`);
    byName.set(command.name, command);
  }
  return byName;
}
