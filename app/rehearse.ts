import { existsSync, writeFileSync } from "node:fs";
import { text } from "node:stream/consumers";

import { machineFiles } from "./replica/machine.ts";
import { parseJson } from "./replica/parse-json.ts";
import { RehearsalOrderSchema } from "./replica/rehearsal-process.ts";
import { rehearsalLimits, rehearseRestore } from "./replica/rehearsal.ts";

// A separate process, because it hashes the whole database: it must not block the server, or take it down when memory
// runs out. It would inherit that the app is spared; of all that run here it can best be done without.
const oomScore = "/proc/self/oom_score_adj";
if (existsSync(oomScore)) writeFileSync(oomScore, "900");
const order = parseJson(RehearsalOrderSchema, await text(process.stdin), "the order of a rehearsal");
const { rehearsal, restoreStallMs, dataDirectory, runDirectory, bucket, ...rest } = order;
const { endpoint, ...place } = bucket;
const machine = {
  ...rest,
  bucket: { ...place, ...(endpoint !== undefined && { endpoint }) },
  files: machineFiles(dataDirectory, runDirectory),
  bootId: "",
  // It only restores, so no interval matters.
  replicationIntervalMs: 1_000,
  syncsPerMonth: 26_000_000,
  retentionHours: 24,
  acceptAdvisoryFence: false,
};
const limits = { ...rehearsalLimits(machine), ...(restoreStallMs !== undefined && { restoreStallMs }) };
process.stdout.write(JSON.stringify(await rehearseRestore(machine, rehearsal, limits)));
