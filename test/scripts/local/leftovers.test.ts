import { spawn } from "node:child_process";
import { existsSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { expect, test } from "vitest";

import { Leftovers } from "../../../scripts/local/leftovers.ts";

/** Makes, renames and removes files in twenty folders as fast as it can. */
const busy = `
  const fs = require("node:fs");
  const [, directory] = process.argv;
  for (let folder = 0; folder < 20; folder++) fs.mkdirSync(directory + "/" + folder);
  for (let turn = 0; ; turn++) {
    const path = directory + "/" + (turn % 20) + "/" + turn;
    try {
      fs.writeFileSync(path, "x");
      if (turn % 3) fs.renameSync(path, path + "r");
      if (turn % 2) fs.rmSync(path + "r", { force: true });
    } catch {}
  }`;

test("a folder is gone, though a process that is about to die still removes files from it", async () => {
  for (let round = 0; round < 25; round++) {
    const leftovers = new Leftovers();
    const directory = mkdtempSync(join(tmpdir(), "lifeboat-leftovers-"));
    leftovers.addPath(directory);
    const child = spawn(process.execPath, ["-e", busy, directory], { detached: true, stdio: "ignore" });
    await sleep(120);
    // Its death is late, as on a busy machine.
    spawn("/bin/sh", ["-c", `sleep 0.03; kill -9 -${child.pid}`], { stdio: "ignore" });
    await sleep(10);
    leftovers.clear();
    expect(existsSync(directory), `round ${round}`).toBe(false);
  }
});
