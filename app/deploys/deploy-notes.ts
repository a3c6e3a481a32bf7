import { type Static, Type } from "typebox";

import { readOptionalFile, writeDurably } from "../durable-file.ts";
import { parseJson } from "../replica/parse-json.ts";
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

/** Reads the notes. Throws ShapeError when the file is damaged: a deploy may be under way. */
export function readNotes(file: string): DeployNotes {
  const text = readOptionalFile(file);
  return text === null ? { format: 1, handled: null, begun: null } : parseJson(NotesSchema, text, file);
}

/** Writes the notes: complete or as before, also after a power loss. */
export function writeNotes(file: string, notes: DeployNotes): void {
  writeDurably(file, `${JSON.stringify(notes)}\n`);
}
