import { afterAll, beforeAll, expect, test } from "vitest";

import { prepareBucket } from "../../scripts/local/bucket-preparation.ts";
import { type SeaweedStore, startSeaweedStore } from "../../scripts/local/seaweed-store.ts";
import { collidingThresholds, constantCheckpoints, runCompleteness } from "../completeness/run-completeness.ts";

let store: SeaweedStore;
beforeAll(async () => void (store = await startSeaweedStore()));
afterAll(() => store[Symbol.asyncDispose]());

test.each([
  // With 1000 this lost 26 to 2,111 rows of about 11,500 in each of 5 runs (node test/completeness/completeness.ts
  // --autocheckpoint 1000).
  { name: "the WAL fills up", race: collidingThresholds, seconds: 4, leastRestarts: 1 },
  { name: "Litestream checkpoints all the time", race: constantCheckpoints, seconds: 3, leastRestarts: 20 },
])(
  "what restores is the source, row for row, while $name under sync on demand",
  { timeout: 60_000 },
  async ({ race, seconds, leastRestarts }) => {
    const { config: bucket } = await prepareBucket(store.access, null);
    const completeness = await runCompleteness({ ...race, bucket, seconds, autocheckpoint: null });
    expect(completeness).toMatchObject({ missing: 0, differing: 0, examples: [] });
    // Otherwise nothing was raced, and the test proves nothing.
    expect(completeness.rows).toBeGreaterThan(2_000);
    expect(completeness.syncs).toBeGreaterThan(5);
    expect(completeness.walRestarts).toBeGreaterThanOrEqual(leastRestarts);
  },
);
