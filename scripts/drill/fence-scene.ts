import { exitCodes } from "../../app/exit-codes.ts";
import type { Serving } from "./boot-scene.ts";
import type { Load } from "./load.ts";
import type { Scene } from "./stage.ts";

/** What a machine did when it woke up after another one had claimed the bucket. */
export type Fence = Readonly<{
  /** From waking up to its end by its own decision. */
  ms: number;
  /** `bucket` writes that were sent to it after it was superseded, and acknowledged: must be 0. */
  acknowledgedAfterClaim: number;
  /** The same at `commit` and `disk`. They are lost. How many they are depends on how often the machine reads head. */
  localAfterClaim: number;
  /** `bucket` writes that it had checked before it froze, but answered after waking up: they must exist. */
  lateAnswers: number;
}>;

const fenceLimitMs = 15_000;

/** Wakes up a frozen machine while its clients still wait. Throws unless it fences itself. */
export async function wakeUp(stage: Scene, { machine }: Serving, load: Load): Promise<Fence> {
  stage.spotlight.machine = machine;
  return stage.transcript.step(
    `machine ${machine.name.toUpperCase()} wakes up and fences itself`,
    async () => {
      const wokenAtMs = await machine.wake();
      const endedAtMs = await machine.waitForFence(fenceLimitMs * stage.slowness);
      await load.stop();
      const { broken, lateAnswers } = stage.ledger.judgeSince(wokenAtMs);
      return {
        ms: Math.round(endedAtMs - wokenAtMs),
        acknowledgedAfterClaim: broken.bucket,
        localAfterClaim: broken.commit + broken.disk,
        lateAnswers: lateAnswers.bucket,
      };
    },
    ({ acknowledgedAfterClaim, localAfterClaim, lateAnswers }) =>
      `exit ${exitCodes.fenced}; since then acknowledged ${acknowledgedAfterClaim} bucket, ${localAfterClaim} others` +
      (lateAnswers > 0 ? `; ${lateAnswers} late answers` : ""),
  );
}
