import { writeSync } from "node:fs";
import { argv, stdout } from "node:process";

import { startWriter } from "../../../app/database/start-writer.ts";
import { defaultWriterOptions } from "../notes-database.ts";

// Writes one note for each durability and marks before and after on stdout, which strace records among the fsyncs.
const [databasePath = "", ...durabilities] = argv.slice(2);
const writer = await startWriter(defaultWriterOptions(databasePath));
for (const [index, durability] of durabilities.entries()) {
  writeSync(stdout.fd, `begin ${index}\n`);
  await writer.execute(
    "add-note",
    { id: String(index), body: "" },
    { durability: durability === "disk" ? "disk" : "commit" },
  );
  writeSync(stdout.fd, `end ${index}\n`);
}
await writer.close();
