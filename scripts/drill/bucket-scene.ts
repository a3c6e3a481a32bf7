import { waitFor } from "../../app/cli/wait-for.ts";
import { Author } from "./author.ts";
import type { Serving } from "./boot-scene.ts";
import { nameOf } from "./facts.ts";
import { HttpClient } from "./http-client.ts";
import type { Unfinished } from "./load.ts";
import { seedRandom } from "./random.ts";
import { sendWrite } from "./send-write.ts";
import type { Scene } from "./stage.ts";

// The base of a big database must be in the bucket first, and that takes as long as the database is big.
const bucketLimitMs = 1_800_000;

let written = 0;

/** Writes until one write is acknowledged at `bucket`; returns the moment of the answer. */
export async function writeToBucket(stage: Scene, { machine }: Serving, step: string): Promise<number> {
  written += 1;
  const author = new Author({
    name: `${machine.name}-probe-${written}`,
    random: seedRandom(0),
    keyed: true,
    isLarge: false,
  });
  using client = new HttpClient(machine.target);
  const { ledger, transcript } = stage;
  const tryOnce = async () => {
    const write = author.next();
    const outcome = await sendWrite(write, ledger.open(write.fact), { client, ledger, durability: "bucket" });
    if (outcome.kind === "gone") throw new Error(`machine ${machine.name} is gone`);
    return outcome.kind === "reached" ? performance.now() : null;
  };
  const limits = { timeoutMs: bucketLimitMs, everyMs: 20 };
  return transcript.step(
    step,
    () => waitFor(step, tryOnce, limits),
    () => "acknowledged at bucket",
  );
}

/**
 * Repeats every write that was cut off, as its client would: with its Idempotency-Key, at `bucket`, on the new machine.
 * Afterwards each must exist exactly once.
 */
export async function repeatCutOff(stage: Scene, serving: Serving, unfinished: readonly Unfinished[]): Promise<void> {
  using client = new HttpClient(serving.machine.target);
  const sending = { client, ledger: stage.ledger, durability: "bucket", baseMayBeLost: true } as const;
  const repeat = async () => {
    for (const { write, entry } of unfinished) {
      const repeated = await sendWrite(write, entry, sending);
      if (repeated.kind !== "reached" && repeated.kind !== "refused") {
        throw new Error(`${nameOf(write.fact)}, repeated with its key: ${repeated.kind}`);
      }
    }
  };
  const name = "cut-off writes are repeated with their keys";
  await stage.transcript.step(name, repeat, () => `${unfinished.length} of them`);
}
