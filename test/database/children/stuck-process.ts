import { join } from "node:path";

import { readConfig } from "../../../app/config.ts";
import { startWriter } from "../../../app/database/start-writer.ts";
import { runProcess } from "../../../app/run-process.ts";
import { defaultWriterOptions } from "../notes-database.ts";
import { makeTemporaryDirectory } from "../temporary-directory.ts";

/** A process of the machine whose writer is stuck inside SQLite: it ends as the server does. */
await runProcess(readConfig, async () => {
  using directory = makeTemporaryDirectory();
  const writer = await startWriter({
    ...defaultWriterOptions(join(directory.path, "app.db")),
    watchLimits: { refuseMs: 100, endMs: 500 },
  });
  writer.execute("loop-in-sqlite", null, { durability: "commit" }).catch(() => undefined);
  const failure = await new Promise<Error>((resolve) => writer.onFailure(resolve));
  throw failure;
});
