import { argv } from "node:process";

import { openReader } from "../../../app/database/reader.ts";
import { readBodies } from "../notes.ts";

// Reads everything again and again until it has seen the last note, and fails when a reading shows half a pair.
const [databasePath = "", lastId = ""] = argv.slice(2);
const reader = openReader(databasePath);
const deadlineMs = Date.now() + 60_000;
let readings = 0;
for (;;) {
  const bodies = reader.read(readBodies());
  readings += 1;
  const ids = Object.keys(bodies);
  for (const id of ids) {
    const partner = id.startsWith("left") ? id.replace("left", "right") : id.replace("right", "left");
    if (bodies[partner] === undefined) throw new Error(`reading ${readings} shows ${id} without ${partner}`);
  }
  if (lastId in bodies) break;
  if (Date.now() > deadlineMs) throw new Error(`waited 60 s for ${lastId}`);
}
reader.close();
console.log(JSON.stringify({ readings }));
