import type { Serving } from "./boot-scene.ts";
import { type Comparison, compareContent } from "./compare.ts";
import type { Disaster } from "./disaster.ts";
import { readFacts } from "./facts.ts";
import { type PerDurability, renderCounts } from "./ledger.ts";
import type { Scene } from "./stage.ts";

/** The losses of a disaster. */
export type Loss = Readonly<{
  /** What had been acknowledged when it happened. */
  acknowledged: Readonly<PerDurability>;
  /** The disaster minus the oldest lost `commit` write; 0 when none is lost. */
  rpoMs: number;
  comparison: Comparison;
}>;

/** Compares every row of the machine's database with the ledger. A write that is lost here must stay lost. */
export async function compareWithLedger(stage: Scene, { machine }: Serving, disaster: Disaster): Promise<Loss> {
  const { ledger, transcript } = stage;
  const comparison = await transcript.step(
    "every row is compared with the ledger",
    async () => compareContent(ledger, readFacts(await machine.copyDatabase())),
    renderComparison,
  );
  ledger.settle(comparison.found);
  const { oldestLostCommitAtMs } = comparison;
  const rpoMs = oldestLostCommitAtMs === null ? 0 : Math.max(0, Math.round(disaster.atMs - oldestLostCommitAtMs));
  return { acknowledged: disaster.acknowledged, rpoMs, comparison };
}

function renderComparison({ rows, lost, differing, unexpected, duplicated }: Comparison): string {
  return `${rows} rows; lost ${renderCounts(lost)}; ${differing} differ, ${duplicated} twice, ${unexpected} from nobody`;
}
