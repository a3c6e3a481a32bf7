import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { execPath } from "node:process";
import { createInterface } from "node:readline";

import { expect, test } from "vitest";

import { openDatabase, quickCheck } from "../../app/database/open-database.ts";
import { startWriter } from "../../app/database/start-writer.ts";
import { defaultWriterOptions, readNotes } from "./notes-database.ts";
import { makeTemporaryDirectory } from "./temporary-directory.ts";

test.each(["commit", "disk"])(
  "every write answered at %s before a kill -9 is there afterwards, unaltered",
  async (durability) => {
    using directory = makeTemporaryDirectory();
    const path = join(directory.path, "app.db");
    const answered = await killAfterAnswers(path, durability, 300);
    expect(answered.length).toBeGreaterThanOrEqual(300);
    // The writer takes over what the dead one left, as the next boot does.
    const writer = await startWriter(defaultWriterOptions(path));
    const found = readNotes(path);
    await writer.close();
    for (const id of answered) expect([id, found[id]]).toEqual([id, `body of ${id}`]);
    for (const [id, body] of Object.entries(found)) expect(body).toBe(`body of ${id}`);
    const reader = openDatabase(path, "reader");
    quickCheck(reader);
    reader.close();
  },
  60_000,
);

async function killAfterAnswers(path: string, durability: string, count: number): Promise<string[]> {
  const script = join(import.meta.dirname, "children/acknowledging-writer.ts");
  const child = spawn(execPath, [script, path, durability], { stdio: ["ignore", "pipe", "inherit"] });
  const exited = once(child, "exit");
  const answered: string[] = [];
  const lines = createInterface({ input: child.stdout });
  lines.on("line", (line) => {
    answered.push(line);
    if (answered.length === count) child.kill("SIGKILL");
  });
  const [[, signal]] = await Promise.all([exited, once(lines, "close")]);
  expect(signal).toBe("SIGKILL");
  return answered;
}
