import { rmSync, statfsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { argv } from "node:process";

import { startWriter } from "../../../app/database/start-writer.ts";
import { WriteRefused } from "../../../app/database/write-outcome.ts";
import { defaultWriterOptions, readNotes } from "../notes-database.ts";

// Fills a small file system in the middle of a group, frees space, goes on; prints what happened as JSON.
const [directory = ""] = argv.slice(2);
const databasePath = join(directory, "app.db");
const ballastPath = join(directory, "ballast");
const writer = await startWriter(defaultWriterOptions(databasePath));
await add("before", 10);

const { bavail, bsize } = statfsSync(directory);
writeFileSync(ballastPath, Buffer.alloc(Math.max(0, bavail * bsize - 60_000), 1));
// The held thread lets all of these wait, so that they make one group. Each alone needs more than is free, lest a slow
// machine split the group.
const held = writer.execute("hold-the-thread", { ms: 100 }, { durability: "commit" });
const group = ["a", "b", "c", "d"].map((id) => add(id, 100_000));
const outcomes = await Promise.all(group.map((write) => write.then(() => "committed", describe)));
await held;
const notesWhenFull = Object.keys(readNotes(databasePath));

rmSync(ballastPath);
await add("after", 100_000);
await writer.close();
console.log(JSON.stringify({ outcomes, notesWhenFull, notesAfter: Object.keys(readNotes(databasePath)).toSorted() }));

function add(id: string, length: number): Promise<unknown> {
  return writer.execute("add-note", { id, body: "x".repeat(length) }, { durability: "disk" });
}

function describe(error: unknown): string {
  return error instanceof WriteRefused ? `refused ${error.reason}` : String(error);
}
