import { setTimeout as sleep } from "node:timers/promises";

import type { Serving } from "./boot-scene.ts";
import type { PerDurability } from "./ledger.ts";
import type { Load } from "./load.ts";
import type { Scene } from "./stage.ts";

/** When it struck, on the clock of performance.now(), and what this machine had acknowledged by then. */
export type Disaster = Readonly<{ atMs: number; acknowledged: Readonly<PerDurability> }>;

/** kill -9 of every process of the machine while its clients write. Its disk is deleted. */
export async function kill(stage: Scene, { machine }: Serving, load: Load): Promise<Disaster> {
  stage.spotlight.machine = machine;
  const atMs = await machine.cutPower();
  await stage.transcript.step(
    `kill -9 of machine ${machine.name.toUpperCase()}, its disk destroyed`,
    () => Promise.all([machine.destroyDisks(), load.stop()]),
    () => `${load.unfinished.length} keyed writes cut off`,
  );
  return { atMs, acknowledged: stage.ledger.count().acknowledged };
}

/** SIGSTOP of every process of the machine while its clients write. They wait for their answers. */
export async function freeze(stage: Scene, { machine }: Serving, load: Load): Promise<Disaster> {
  await load.assertHealthy();
  const atMs = await machine.freeze();
  await stage.transcript.step(
    `machine ${machine.name.toUpperCase()} freezes`,
    () => sleep(inTransitMs),
    () => `${machine.frost}, requests in flight`,
  );
  return { atMs, acknowledged: stage.ledger.count().acknowledged };
}

// What the machine had sent before it froze still arrives.
const inTransitMs = 20;
