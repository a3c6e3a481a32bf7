import { epochsCommand, showEpochs, showEpochsHere } from "../app/verbs/epochs.ts";
import { runVerb } from "./cli/run-verb.ts";
import { findReadableBucket } from "./deploy/place.ts";
import { adoptDevEnvironment } from "./dev/environment.ts";
import { type FarOptions, onLaptop } from "./remote/arguments.ts";

// Like restore into a file, it needs the bucket alone: also when no machine runs, or SSH is closed.
await runVerb(onLaptop(epochsCommand), process.argv.slice(2), showFromHere);

async function showFromHere({ stack, dev, words }: FarOptions): Promise<void> {
  if (dev) adoptDevEnvironment();
  const options = epochsCommand.readArguments(words);
  if ((process.env["LIFEBOAT_DATA_DIR"] ?? "") !== "") return showEpochsHere(options);
  const { bucket } = await findReadableBucket(stack, process.env);
  await showEpochs(options, bucket);
}
