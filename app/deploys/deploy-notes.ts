import { type Static, Type } from "typebox";

import { readOptionalFile, writeDurably } from "../durable-file.ts";
import type { Log } from "../log.ts";
import { parseJson, ShapeError } from "../replica/parse-json.ts";
import { DeployReportSchema } from "./deploy-report.ts";

const NotesSchema = Type.Object({
  format: Type.Literal(1),
  /** The last deploy that is over for this machine. */
  handled: Type.Union([Type.String(), Type.Null()]),
  /** The deploy that this machine has begun. */
  begun: Type.Union([Type.Object({ report: DeployReportSchema, attempts: Type.Integer({ minimum: 0 }) }), Type.Null()]),
});

/** What a machine remembers of its deploys over a restart. A new machine remembers nothing. */
export type DeployNotes = Static<typeof NotesSchema>;

/** Keeps the notes in a file. */
export class DeployNotebook {
  readonly #file: string;
  readonly #log: Log;
  #notes: DeployNotes;
  /** Whether the file was damaged: then the report in the bucket may know of more. */
  readonly hasForgotten: boolean;

  constructor(file: string, log: Log) {
    this.#file = file;
    this.#log = log;
    const found = this.#read();
    this.hasForgotten = found === null;
    // Not a new machine, which would carry out again what another one has served.
    this.#notes = found ?? { format: 1, handled: "", begun: null };
  }

  get notes(): DeployNotes {
    return this.#notes;
  }

  /** Writes the notes: complete or as before, also after a power loss. Throws when they cannot be written. */
  note(notes: DeployNotes): void {
    writeDurably(this.#file, `${JSON.stringify(notes)}\n`);
    this.#notes = notes;
  }

  /**
   * The same where a full disk must stand in the way of nothing: what has ended is found once more from older notes, and
   * services may be stopped twice.
   */
  noteIfPossible(notes: DeployNotes): void {
    this.#notes = notes;
    try {
      this.note(notes);
    } catch (err) {
      this.#log.error({ err }, "the notes of deploys cannot be written");
    }
  }

  /** Why nothing can be noted now. Null when something can. */
  findFault(): string | null {
    try {
      this.note(this.#notes);
      return null;
    } catch (error) {
      return `${this.#file} cannot be written (${error instanceof Error ? error.message : String(error)})`;
    }
  }

  #read(): DeployNotes | null {
    try {
      const text = readOptionalFile(this.#file);
      return text === null ? { format: 1, handled: null, begun: null } : parseJson(NotesSchema, text, this.#file);
    } catch (err) {
      if (!(err instanceof ShapeError)) throw err;
      this.#log.error({ err }, "the notes of deploys are damaged: going on by the reports in the bucket");
      return null;
    }
  }
}
