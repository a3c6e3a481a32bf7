import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { bootInChild, bundleChild, copyScene, dieAndBootAgain, scenes, type Scene } from "../../boot/kill-points.ts";
import { World } from "../../replica/world.ts";

let world: World;
let child: string;
beforeAll(async () => {
  world = await World.open();
  child = await bundleChild(world.directory);
});
afterAll(() => world[Symbol.asyncDispose]());

const atOnce = 3;
const limitMs = 600_000;

/** Runs `dieAt` for every number from 1 to `last`, a few at a time. */
async function forEveryChange(last: number, dieAt: (change: number) => Promise<void>): Promise<void> {
  const changes = Array.from({ length: last }, (_, index) => index + 1);
  const worker = async () => {
    for (let change = changes.shift(); change !== undefined; change = changes.shift()) await dieAt(change);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}

describe.each(Object.entries(scenes))("plan %s", (_, prepare) => {
  let original: Scene;
  beforeAll(async () => {
    original = await prepare(world);
  });

  test(
    "a machine killed before any change of its disk boots again with the same content",
    async () => {
      const { machine, site } = await copyScene(world, original);
      const whole = await bootInChild(child, { machine: machine.machine, death: null });
      expect(whole?.report).toMatchObject({ outcome: "claimed", ...original.plan });
      expect(whole?.changes).toBeGreaterThan(15);
      await site.discard();
      await forEveryChange(whole?.changes ?? 0, async (change) => {
        await dieAndBootAgain(await copyScene(world, original), child, { change });
      });
    },
    limitMs,
  );

  test(
    "a machine killed a little later in every boot still comes up",
    async () => {
      const scene = await copyScene(world, original);
      let change = 1;
      while ((await bootInChild(child, { machine: scene.machine.machine, death: { change } })) === null) change += 3;
      if (scene.texts.length > 0) expect(scene.machine.texts()).toEqual(scene.texts);
      expect(change).toBeGreaterThan(15);
      await scene.site.discard();
    },
    limitMs,
  );
});
