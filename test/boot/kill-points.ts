import { execFile } from "node:child_process";
import { cpSync } from "node:fs";
import { dirname, join } from "node:path";
import { promisify } from "node:util";

import { build } from "esbuild";
import { expect } from "vitest";

import type { Site } from "../replica/site.ts";
import type { TestMachine } from "../replica/test-machine.ts";
import type { World } from "../replica/world.ts";
import type { Death, Order, Outcome } from "./boot-child.ts";

/**
 * A bucket and a disk before a boot, what that boot's plan is, and what must be served after it, however often it dies
 * on the way.
 */
export type Scene = {
  site: Site;
  machine: TestMachine;
  plan: { row: number; content: string };
  texts: readonly string[];
};

/** One scene for each kind of plan that claims. */
export const scenes: Record<string, (world: World) => Promise<Scene>> = {
  async fresh(world) {
    const site = await world.makeSite();
    return { site, machine: world.newMachine(site), plan: { row: 5, content: "fresh" }, texts: [] };
  },
  async restore(world) {
    const site = await world.makeSite();
    await world.newMachine(site).liveAndCrash({ replicated: ["one"], onDisk: ["two"] });
    return { site, machine: world.newMachine(site), plan: { row: 11, content: "restored" }, texts: ["one"] };
  },
  async volume(world) {
    const site = await world.makeSite();
    await world.newMachine(site).liveAndCrash({ replicated: ["one"] });
    const machine = world.newMachine(site);
    await machine.liveAndCrash({ onDisk: ["two"] });
    machine.losePower();
    return { site, machine, plan: { row: 10, content: "volume" }, texts: ["one", "two"] };
  },
  async "compare, volume newer"(world) {
    const site = await world.makeSite();
    const machine = world.newMachine(site);
    await machine.liveAndCrash({ replicated: ["one"], onDisk: ["two"] });
    machine.losePower();
    return { site, machine, plan: { row: 11, content: "volume" }, texts: ["one", "two"] };
  },
  async "compare, replica newer"(world) {
    const site = await world.makeSite();
    const machine = world.newMachine(site);
    await machine.boot();
    const life = await machine.live();
    life.write("one");
    const putBack = machine.rememberDisk();
    life.write("two");
    await life.replicate();
    await life.crash();
    putBack();
    machine.losePower();
    return { site, machine, plan: { row: 11, content: "restored" }, texts: ["one", "two"] };
  },
};

/** Bundles the child: it then starts in a third of the time. Returns its path. */
export async function bundleChild(directory: string): Promise<string> {
  const outfile = join(directory, "boot-child.mjs");
  await build({
    entryPoints: [join(import.meta.dirname, "boot-child.ts")],
    outfile,
    bundle: true,
    format: "esm",
    platform: "node",
    target: "node24",
    alias: { "better-sqlite3": `better-sqlite3/${process.platform}-${process.arch}` },
    loader: { ".node": "copy" },
    banner: {
      js: 'import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);',
    },
    logLevel: "silent",
  });
  return outfile;
}

const childLimitMs = 60_000;

/** Boots in another process. Returns null when that process was killed. */
export async function bootInChild(child: string, order: Order): Promise<Outcome | null> {
  // The compile cache starts a child a third faster. The first child that ends normally fills it.
  const env = { ...process.env, NODE_COMPILE_CACHE: join(dirname(child), "compiled") };
  try {
    const { stdout } = await promisify(execFile)(process.execPath, [child, JSON.stringify(order)], {
      timeout: childLimitMs,
      env,
    });
    return JSON.parse(stdout);
  } catch (error) {
    if (error instanceof Error && "signal" in error && error.signal === "SIGKILL" && "killed" in error && !error.killed)
      return null;
    throw error;
  }
}

/** Copies the scene into another bucket and onto another disk. */
export async function copyScene(world: World, scene: Scene): Promise<Scene> {
  const site = await scene.site.copy();
  const machine = world.newMachine(site);
  const { machineId, bootId, files } = scene.machine.machine;
  machine.machine = { ...machine.machine, machineId, bootId };
  cpSync(files.dataDirectory, machine.files.dataDirectory, { recursive: true });
  return { ...scene, site, machine };
}

/** Dies once, boots again, and must then serve the same content in a living epoch, without a human. */
export async function dieAndBootAgain(scene: Scene, child: string, death: Death): Promise<void> {
  const { machine, site, texts } = scene;
  expect(await bootInChild(child, { machine: machine.machine, death })).toBeNull();
  const report = await machine.boot();
  expect(["claimed", "resumed"]).toContain(report.outcome);
  if (texts.length > 0) expect(machine.texts()).toEqual(texts);
  const life = await machine.live();
  life.write("after the death");
  await life.replicate();
  expect(machine.texts()).toEqual([...texts, "after the death"]);
  expect(await site.head()).toMatchObject({ state: "living", epoch: report.epoch, machine: machine.machine.machineId });
  await life.crash();
  await site.discard();
}
