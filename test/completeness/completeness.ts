import { parseArgs } from "node:util";

import { prepareBucket } from "../../scripts/local/bucket-preparation.ts";
import { startSeaweedStore } from "../../scripts/local/seaweed-store.ts";
import { collidingThresholds, runCompleteness } from "./run-completeness.ts";

// The switch: `--autocheckpoint 1000` does what SQLite does by default, and shows which rows the replica then lacks.
// Without it, our pragmas are at work, and no row may be missing. Prints one line of JSON; ends with 1 when rows are.
const { values } = parseArgs({
  options: { autocheckpoint: { type: "string" }, seconds: { type: "string", default: "10" } },
});
const autocheckpoint =
  values.autocheckpoint === undefined ? null : readCount("--autocheckpoint", values.autocheckpoint);
const seconds = readCount("--seconds", values.seconds);

await using store = await startSeaweedStore();
const { config: bucket } = await prepareBucket(store.access, null);
const completeness = await runCompleteness({ ...collidingThresholds, bucket, seconds, autocheckpoint });
process.stdout.write(`${JSON.stringify(completeness)}\n`);
process.exitCode = completeness.missing + completeness.differing > 0 ? 1 : 0;

function readCount(flag: string, text: string): number {
  const count = Number(text);
  if (Number.isInteger(count) && count >= 0) return count;
  throw new Error(`${flag} must be a whole number (got ${text})`);
}
