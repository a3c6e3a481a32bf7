import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";

import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { bundleChild } from "./kill-points.ts";
import { bootOnSmallDisk, maySmallDisks } from "./small-disk.ts";
import { World } from "./world.ts";

const kibibyte = 1024;
/** 1.5 MB that do not compress well. */
const texts = Array.from({ length: 6 }, () => randomBytes(128 * kibibyte).toString("hex"));

describe.skipIf(!maySmallDisks())("on a disk that is full before the restore is done (needs mount namespaces)", () => {
  let world: World;
  let child: string;
  beforeAll(async () => {
    world = await World.open();
    child = await bundleChild(world.directory);
  });
  afterAll(() => world[Symbol.asyncDispose]());

  test("boot refuses with the cause, the volume stays as it was, and with more room the next boot goes on", async () => {
    const site = await world.makeSite();
    const a = world.newMachine(site);
    const { epoch } = await a.liveAndCrash({ replicated: texts, onDisk: ["two"] });
    a.losePower();
    const { report } = await bootOnSmallDisk(child, { machine: a.machine, death: null }, 400 * kibibyte);
    expect(report).toMatchObject({
      outcome: "refused",
      row: 11,
      cause: expect.stringContaining("no space left on device"),
      next: expect.stringContaining("free space"),
    });
    expect([a.texts(), a.quarantined(), existsSync(a.files.restored)]).toEqual([[...texts, "two"], [], false]);
    expect(await a.boot()).toMatchObject({ outcome: "claimed", row: 10, content: "volume", parent: epoch });
    expect(a.texts()).toEqual([...texts, "two"]);
  });

  test("a new machine refuses, serves nothing, and is as good as new afterwards", async () => {
    const site = await world.makeSite();
    await world.newMachine(site).liveAndCrash({ replicated: texts });
    const b = world.newMachine(site);
    const { report } = await bootOnSmallDisk(child, { machine: b.machine, death: null }, 400 * kibibyte);
    expect(report).toMatchObject({ outcome: "refused", cause: expect.stringContaining("no space left on device") });
    expect([existsSync(b.files.database), existsSync(b.files.mark)]).toEqual([false, false]);
    expect(await b.boot()).toMatchObject({ outcome: "claimed", content: "restored" });
    expect(b.texts()).toEqual(texts);
  });
});
