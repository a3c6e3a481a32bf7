import { tmpdir } from "node:os";
import { join } from "node:path";

import { Refused } from "../app/cli/command-line.ts";
import { machineFiles } from "../app/replica/machine.ts";
import { restoreCommand, writeState } from "../app/verbs/restore.ts";
import { resolveBinary } from "./build/resolve-binary.ts";
import { runVerb } from "./cli/run-verb.ts";
import { findReadableBucket } from "./deploy/place.ts";
import { type FarOptions, onLaptop } from "./remote/arguments.ts";
import { carryOutFar } from "./remote/far-verb.ts";

// A file is written here, with nothing but the bucket; everything else is the machine's to do.
await runVerb(onLaptop(restoreCommand), process.argv.slice(2), restoreFromHere);

async function restoreFromHere(far: FarOptions): Promise<void> {
  const { target, to, dryRun, json } = restoreCommand.readArguments(far.words);
  if (far.dev && to === null && !dryRun)
    throw new Refused(
      "npm run dev ends its store with its app, so no boot can restore between them; a look: --to FILE, or --dry-run",
    );
  if (to === null || far.dev || (process.env["LIFEBOAT_DATA_DIR"] ?? "") !== "") return carryOutFar("restore", far);
  const { bucket } = await findReadableBucket(far.stack, process.env);
  const litestreamPath = await resolveBinary("litestream");
  // Nothing lies there: a restore only wants names.
  const nowhere = join(tmpdir(), "lifeboat-nowhere");
  await writeState({ target, to, json }, { bucket, litestreamPath, files: machineFiles(nowhere, nowhere) });
}
