import { tmpdir } from "node:os";
import { join } from "node:path";

import type { Transcript } from "../app/cli/transcript.ts";
import { machineFiles } from "../app/replica/machine.ts";
import { verify, verifyCommand, verifyHere } from "../app/verbs/verify.ts";
import { resolveBinary } from "./build/resolve-binary.ts";
import { runVerb } from "./cli/run-verb.ts";
import { findReadableBucket } from "./deploy/place.ts";
import { adoptDevEnvironment } from "./dev/environment.ts";
import { type FarOptions, onLaptop } from "./remote/arguments.ts";

// From a laptop or from CI. On the machine it is the same verb of `lifeboat`.
await runVerb(onLaptop(verifyCommand), process.argv.slice(2), verifyFromHere);

async function verifyFromHere({ stack, dev, words }: FarOptions, transcript: Transcript): Promise<void> {
  if (dev) adoptDevEnvironment();
  const options = verifyCommand.readArguments(words);
  if ((process.env["LIFEBOAT_DATA_DIR"] ?? "") !== "") return verifyHere(options, transcript);
  const found = await findReadableBucket(stack, process.env);
  const litestreamPath = await resolveBinary("litestream");
  // Nothing lies there: a restore only wants names.
  const nowhere = join(tmpdir(), "lifeboat-nowhere");
  const place = { ...found, litestreamPath, files: machineFiles(nowhere, nowhere), machineId: "", isMachine: false };
  await verify(options, place, transcript);
}
