import { setTimeout as sleep } from "node:timers/promises";

import { openDatabase } from "../../app/database/open-database.ts";
import type { Serving, ServingMachine } from "./boot-scene.ts";
import { writeToBucket } from "./bucket-scene.ts";
import { renderCounts } from "./ledger.ts";
import { type ClientPlan, Load, mixedClients } from "./load.ts";
import { chooseInteger } from "./random.ts";
import type { Scene } from "./stage.ts";

const mixedMs = 1500;
const calmMs = 3000;
const healthCheckMs = 500;

/** Writes --rows or --size of data and waits until all of it is in the bucket. Does nothing without these flags. */
export async function fillDatabase(stage: Scene, serving: ServingMachine): Promise<void> {
  const { machine } = serving;
  const { rows, sizeBytes } = stage.options;
  await fillWithRows(stage, serving);
  if (sizeBytes > 0) {
    const measure = () => Math.round(measureDatabase(machine.databasePath) / 1e6);
    await fill(stage, machine, { clients: sizeClients, measure, goal: Math.ceil(sizeBytes / 1e6), unit: "MB" });
  }
  if (rows > 0 || sizeBytes > 0) await writeToBucket(stage, serving, "the filled database is in the bucket");
}

/** The same for --rows alone. */
export async function fillRows(stage: Scene, serving: Serving): Promise<void> {
  await fillWithRows(stage, serving);
  if (stage.options.rows > 0) await writeToBucket(stage, serving, "the filled database is in the bucket");
}

async function fillWithRows(stage: Scene, { machine }: Serving): Promise<void> {
  const goal = stage.options.rows;
  const measure = () => stage.ledger.acknowledgedCount;
  if (goal > 0) await fill(stage, machine, { clients: rowClients, measure, goal, unit: "rows" });
}

/** Starts clients that write at every durability, and returns after a while. They go on writing. A machine's loads need names. */
export async function writeMixedLoad(stage: Scene, { machine }: Serving, name = "load"): Promise<Load> {
  const leastMs = mixedMs * stage.slowness;
  const durationMs = machine.name === "a" ? Math.max(leastMs, stage.options.loadMs) : leastMs;
  const load = openLoad(stage, machine, name);
  await stage.transcript.step(
    `${mixedClients.length} clients write at every durability`,
    async () => {
      load.start(mixedClients);
      await writeFor(load, durationMs + chooseInteger(stage.random, 0, 500));
    },
    () => renderAcknowledged(stage),
  );
  return load;
}

/**
 * The `bucket` clients stop, for their syncs also take everybody else's writes to the bucket; the others go on for at
 * least three seconds and a random part, until the moment of the kill.
 */
export async function writeWithoutBucket(stage: Scene, load: Load): Promise<void> {
  const durationMs = calmMs * stage.slowness + chooseInteger(stage.random, 0, 1000);
  await stage.transcript.step(
    "no bucket write helps any more",
    async () => {
      await load.stop("bucket");
      await writeFor(load, durationMs);
    },
    () => renderAcknowledged(stage),
  );
}

// A big database checkpoints for a while; a minute without one row more is a fault.
const stallLimitMs = 60_000;
type Filling = Readonly<{ clients: readonly ClientPlan[]; measure: () => number; goal: number; unit: string }>;

const rowClients = Array.from({ length: 16 }, () => ({ durability: "commit", pauseMs: 0 }) as const);
const sizeClients = Array.from({ length: 4 }, () => ({ durability: "commit", pauseMs: 0, isLarge: true }) as const);

async function fill(stage: Scene, machine: Serving["machine"], filling: Filling): Promise<void> {
  const { clients, measure, goal, unit } = filling;
  const load = openLoad(stage, machine, `fill-${unit}`);
  await stage.transcript.step(
    `the database is filled to ${goal} ${unit}`,
    async () => {
      stage.transcript.showProgress(() => `${measure()} of ${goal} ${unit}`);
      load.start(clients);
      await writeUntil(load, filling);
      await load.stop();
    },
    () => `${measure()} ${unit}`,
  );
}

async function writeUntil(load: Load, { measure, goal, unit }: Filling): Promise<void> {
  let best = -1;
  let progressAt = performance.now();
  for (let now = measure(); now < goal; now = measure()) {
    if (now > best) [best, progressAt] = [now, performance.now()];
    else if (performance.now() - progressAt > stallLimitMs) {
      throw new Error(`filling the database stands still at ${now} of ${goal} ${unit}: its writes are refused`);
    }
    await writeFor(load, healthCheckMs / 5);
  }
}

function openLoad({ ledger, options }: Scene, machine: Serving["machine"], name: string): Load {
  return new Load({ name: `${machine.name}-${name}`, target: machine.target, ledger, seed: options.seed });
}

async function writeFor(load: Load, durationMs: number): Promise<void> {
  const until = performance.now() + durationMs;
  for (let leftMs = durationMs; leftMs > 0; leftMs = until - performance.now()) {
    await sleep(Math.min(leftMs, healthCheckMs));
    await load.assertHealthy();
  }
}

function measureDatabase(path: string): number {
  const db = openDatabase(path, "reader");
  try {
    return Number(db.pragma("page_count", { simple: true })) * Number(db.pragma("page_size", { simple: true }));
  } finally {
    db.close();
  }
}

function renderAcknowledged({ ledger }: Scene): string {
  return `${renderCounts(ledger.count().acknowledged)} acknowledged`;
}
