import { copyFileSync, cpSync, existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import Sqlite from "better-sqlite3";
import { afterAll, beforeAll, expect, test } from "vitest";

import { readMark } from "../../app/replica/mark.ts";
import { Superseded } from "../../app/replica/open-replication.ts";
import type { Site } from "../replica/site.ts";
import type { TestMachine } from "../replica/test-machine.ts";
import { World } from "../replica/world.ts";

let world: World;
beforeAll(async () => {
  world = await World.open();
});
afterAll(() => world[Symbol.asyncDispose]());

/** A machine that wrote "one", stopped cleanly, and wrote "two" in a later start; its disk can be put back between. */
async function makeStopped() {
  const site = await world.makeSite();
  const a = world.newMachine(site);
  await a.liveAndStop(["one"]);
  const putBack = a.rememberDisk();
  return { site, a, putBack };
}

/** A machine that wrote "one" and "two" in one life, whose disk was copied between them and put back after a crash. */
async function makePutBackRunning() {
  const a = world.newMachine(await world.makeSite());
  await a.liveAndGoBack({ before: ["one"], after: ["two"] });
  return a;
}

const reboots: [claim: string, meanwhile: (a: TestMachine) => void][] = [
  ["in the same start of the system", () => undefined],
  ["and the machine started anew", (a) => a.losePower()],
];

test.concurrent.each(reboots)("a clean disk that is put back %s loses against the bucket", async (_, meanwhile) => {
  const { a, putBack } = await makeStopped();
  await a.liveAndStop(["two"]);
  putBack();
  meanwhile(a);
  expect(await a.boot()).toMatchObject({ outcome: "claimed", row: 11, content: "restored" });
  expect(a.texts()).toEqual(["one", "two"]);
});

test.concurrent.each(reboots)("a running disk that is put back %s loses against the bucket", async (_, meanwhile) => {
  const a = await makePutBackRunning();
  meanwhile(a);
  expect(await a.boot()).toMatchObject({ outcome: "claimed", row: 11, content: "restored" });
  expect(a.texts()).toEqual(["one", "two"]);
});

test.concurrent("an app that starts alone on a running disk that was put back is refused, and boot brings back what it lacks", async () => {
  const a = await makePutBackRunning();
  await expect(a.live()).rejects.toThrow(/the disk was put back.*start boot first/);
  expect(await a.boot()).toMatchObject({ outcome: "claimed", row: 11, content: "restored" });
  expect(a.texts()).toEqual(["one", "two"]);
  await using later = await a.live();
  later.write("three");
  await later.replicate();
});

test.concurrent("an app that starts alone on an undisturbed disk goes on", async () => {
  const a = world.newMachine(await world.makeSite());
  await a.liveAndStop(["one"]);
  for (const text of ["two", "three"]) {
    const life = await a.live();
    life.write(text);
    await life.replicate();
    await life.crash();
  }
  expect(a.texts()).toEqual(["one", "two", "three"]);
});

test.concurrent("a database alone that is put back after a clean stop loses against the bucket", async () => {
  const { a } = await makeStopped();
  const old = `${a.files.database}-old`;
  copyFileSync(a.files.database, old);
  copyFileSync(`${a.files.database}-wal`, `${old}-wal`);
  await a.liveAndStop(["two"]);
  copyFileSync(old, a.files.database);
  copyFileSync(`${old}-wal`, `${a.files.database}-wal`);
  rmSync(`${a.files.database}-shm`, { force: true });
  a.losePower();
  expect(await a.boot()).toMatchObject({ outcome: "claimed", row: 11, content: "restored" });
  expect(a.texts()).toEqual(["one", "two"]);
});

test.concurrent("an undisturbed disk still resumes after a clean stop, again and again", async () => {
  const { a } = await makeStopped();
  for (const text of ["two", "three"]) {
    a.losePower();
    expect(await a.boot()).toMatchObject({ outcome: "resumed", row: 3 });
    const life = await a.live();
    life.write(text);
    await life.replicate();
    await life.stopCleanly();
  }
  expect(a.texts()).toEqual(["one", "two", "three"]);
});

test.concurrent("of two copies of one server one resumes, and the other takes over and keeps every write", async () => {
  const { site, a } = await makeStopped();
  const clone = copyServer(site, a);
  expect(await clone.boot()).toMatchObject({ outcome: "resumed" });
  const life = await clone.live();
  life.write("written by the clone");
  await life.replicate();
  a.losePower();
  expect(await a.boot()).toMatchObject({ outcome: "claimed", row: 11, content: "restored" });
  expect(a.texts()).toEqual(["one", "written by the clone"]);
  expect(await life.fenced).toContain("has taken over");
  await life.crash();
});

test.concurrent("a machine that learns its provider's id goes on in its epoch, and says so in head and mark", async () => {
  const { site, a } = await makeStopped();
  const { epoch } = await site.head();
  learnId(a, "4711");
  expect(await a.boot()).toMatchObject({ outcome: "resumed", row: 3, epoch, machine: "4711" });
  expect(await site.head()).toMatchObject({ epoch, machine: "4711" });
  expect(readMark(a.files.mark)).toMatchObject({ machine: "4711" });
});

test.concurrent("of a server and its copy with ids of their own, the one that was replaced stays down", async () => {
  const { site, a } = await makeStopped();
  learnId(a, "4711");
  const clone = copyServer(site, a);
  learnId(clone, "4712");
  expect(await a.boot()).toMatchObject({ outcome: "resumed" });
  clone.losePower();
  // Its disk has the name that the other machine had before it learned its id.
  expect(await clone.boot()).toMatchObject({ outcome: "refused", row: 4, cause: expect.stringContaining("4711") });

  const later = copyServer(site, a);
  learnId(later, "4713");
  expect(await later.boot()).toMatchObject({ outcome: "claimed", row: 11 });
  a.losePower();
  expect(await a.boot()).toMatchObject({ outcome: "refused", row: 4, cause: expect.stringContaining("4713") });
});

test.concurrent("an app that starts on a disk from before the last start is not let in without boot", async () => {
  const { a, putBack } = await makeStopped();
  await a.liveAndStop(["two"]);
  putBack();
  await expect(a.live()).rejects.toThrow(Superseded);
});

test.concurrent("somebody's database beside an empty bucket refuses, and is left alone", async () => {
  const a = world.newMachine(await world.makeSite());
  const theirs = new Sqlite(a.files.database);
  theirs.exec("create table theirs (x); insert into theirs values (1)");
  theirs.close();
  const before = readFileSync(a.files.database);
  expect(await a.boot()).toMatchObject({
    outcome: "refused",
    row: 5,
    cause: expect.stringContaining("Lifeboat did not make"),
  });
  expect(readFileSync(a.files.database)).toEqual(before);
  expect(existsSync(a.files.quarantine)).toBe(false);
});

test.concurrent.each<[what: string, make: (path: string) => void]>([
  ["nothing but 0 bytes", (path) => writeFileSync(path, "")],
  [
    "a database without a table",
    (path) => {
      const blank = new Sqlite(path);
      blank.pragma("journal_mode = WAL");
      blank.exec("create table t (x); drop table t");
      blank.close();
    },
  ],
])("%s at the database's place does not stop a first boot", async (_, make) => {
  const a = world.newMachine(await world.makeSite());
  make(a.files.database);
  expect(await a.boot()).toMatchObject({ outcome: "claimed", row: 5, content: "fresh" });
  const [folder = ""] = a.quarantined();
  expect(existsSync(join(a.files.quarantine, folder, "app.db"))).toBe(true);
});

/** A server that is made from an image of another one, and so has its name. */
function copyServer(site: Site, original: TestMachine): TestMachine {
  const copy = world.newMachine(site);
  const { machineId, formerMachineId } = original.machine;
  copy.machine = { ...copy.machine, machineId, ...(formerMachineId !== undefined && { formerMachineId }) };
  rmSync(copy.files.dataDirectory, { recursive: true });
  cpSync(original.files.dataDirectory, copy.files.dataDirectory, { recursive: true });
  return copy;
}

/** Starts with a release that asks the provider for the name. The name on the disk becomes the former one. */
function learnId(machine: TestMachine, machineId: string): void {
  const { formerMachineId = machine.machine.machineId } = machine.machine;
  machine.losePower();
  machine.machine = { ...machine.machine, machineId, formerMachineId };
}
