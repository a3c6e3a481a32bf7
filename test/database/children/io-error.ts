import { argv } from "node:process";

import { startWriter } from "../../../app/database/start-writer.ts";
import { WriteOutcomeUnknown, WriteRefused } from "../../../app/database/write-outcome.ts";
import { defaultWriterOptions } from "../notes-database.ts";

// Writes until the operating system refuses with an I/O error (a file size limit set by the parent); prints the outcomes.
const [databasePath = "", length = "1000"] = argv.slice(2);
const writer = await startWriter(defaultWriterOptions(databasePath));
let failure: string | null = null;
writer.onFailure((error) => (failure = error.message));
const committed: string[] = [];
let outcome = "";
for (let count = 0; outcome === "" && count < 2000; count++) {
  const id = `n${String(count).padStart(4, "0")}`;
  try {
    await writer.execute("add-note", { id, body: "x".repeat(Number(length)) }, { durability: "commit" });
    committed.push(id);
  } catch (error) {
    outcome = describe(error);
  }
}
console.log(JSON.stringify({ committed, outcome, failure, state: writer.state }));
await writer.close();

function describe(error: unknown): string {
  if (error instanceof WriteRefused) return `refused ${error.reason}: ${error.message}`;
  return error instanceof WriteOutcomeUnknown ? "unknown" : String(error);
}
