import { join } from "node:path";

import { expect } from "vitest";

import { mayGrowExt4 } from "../cloud-init/capability.ts";
import { machineTest } from "../cloud-init/machine-root.ts";
import { makeBootable } from "./bare-debian.ts";
import { bootScripted, findMissing, onlyDisk } from "./scripted-machine.ts";

const gibibyte = 1024 ** 3;
const guest = join(import.meta.dirname, "grow-ext4.guest.sh");
const growVolume = join(import.meta.dirname, "../../cloud-init/release/bin/grow-volume");
const files = { "/init": guest, "/opt/lifeboat/current/bin/grow-volume": growVolume };

machineTest("ext4 grows with the volume of a running machine, once, while it is written to", async ({ skip }) => {
  skip(mayGrowExt4, "this computer's own kernel lets ext4 grow: covered by test/cloud-init/grow-volume.test.ts");
  const missing = findMissing();
  skip(missing !== null, `a virtual machine needs ${missing}`);
  await using booted = await bootScripted(await makeBootable(), files, gibibyte);
  const { machine } = booted;
  // The guest asks for 2 GB by now, as after an answer of Hetzner's API, and waits to hear of it.
  await machine.waitForLine("guest: growing", 120_000);
  await machine.growDisk(onlyDisk, 2 * gibibyte);
  await machine.waitForEnd(120_000);

  const said = machine.readConsole();
  const [before, after, again] = readSteps(said);
  expect([before, after, again], said).toMatchObject([
    { code: 0, words: "" },
    { code: 0, words: `lifeboat: the filesystem at /data has grown from ${before?.bytes} to ${after?.bytes} bytes` },
    { code: 0, words: "", bytes: after?.bytes },
  ]);
  expect(before?.bytes).toBeLessThan(gibibyte);
  expect(after?.bytes).toBeGreaterThan(1.9 * gibibyte);
  expect(after?.rows).toBeGreaterThan(before?.rows ?? Infinity);
  expect(readEnd(said), said).toEqual(["writer 0", "check clean", "held /data/held: OK", "rows complete"]);
});

function readSteps(said: string) {
  const steps = said.matchAll(/^guest: step code (\d+), (\d+) bytes, (\d+) rows, said: (.*)$/gm);
  return [...steps].map(([, code, bytes, rows, words]) => ({
    code: Number(code),
    bytes: Number(bytes),
    rows: Number(rows),
    words,
  }));
}

/** What the guest found once the writer had stopped, and the filesystem had been unmounted and mounted again. */
function readEnd(said: string): (string | undefined)[] {
  return [...said.matchAll(/^guest: end (.*)$/gm)].map(([, found]) => found);
}
