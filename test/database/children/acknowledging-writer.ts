import { writeSync } from "node:fs";
import { argv, stdout } from "node:process";

import { startWriter } from "../../../app/database/start-writer.ts";
import { defaultWriterOptions } from "../notes-database.ts";

// Writes for ever from several clients and prints the id of each note after its answer, until it is killed.
const [databasePath = "", durability = "commit"] = argv.slice(2);
const writer = await startWriter(defaultWriterOptions(databasePath));
await Promise.all(Array.from({ length: 8 }, (_, client) => writeForEver(client)));

async function writeForEver(client: number): Promise<never> {
  for (let count = 0; ; count++) {
    const id = `client-${client}-${count}`;
    await writer.execute(
      "add-note",
      { id, body: `body of ${id}` },
      { durability: durability === "disk" ? "disk" : "commit" },
    );
    writeSync(stdout.fd, `${id}\n`);
  }
}
