import { copyFileSync, existsSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { afterAll, beforeAll, expect, test } from "vitest";

import { openDatabase } from "../../app/database/open-database.ts";
import { writeNote } from "../replica/life.ts";
import { World } from "../replica/world.ts";

let world: World;
beforeAll(async () => {
  world = await World.open();
});
afterAll(() => world[Symbol.asyncDispose]());

/** The dead machine after a power loss, so that boot compares its disk with the replica. */
async function makePowerless() {
  const dead = await world.makeDead();
  dead.a.losePower();
  return dead;
}

const damages: [claim: string, damage: (path: string) => void][] = [
  ["an empty file", (path) => truncateSync(path, 0)],
  ["its first 100 bytes", (path) => truncateSync(path, 100)],
  ["its first page", (path) => truncateSync(path, 4096)],
  ["text", (path) => writeFileSync(path, "<html>not found</html>")],
  [
    "a database's first words and then zeros",
    (path) => writeFileSync(path, Buffer.concat([Buffer.from("SQLite format 3\0"), Buffer.alloc(8176)])),
  ],
  [
    "noise behind its first page",
    (path) => writeFileSync(path, Buffer.concat([readFileSync(path).subarray(0, 4096), Buffer.alloc(12_288, 0xa5)])),
  ],
];

test.concurrent.each(damages)(
  "a database of which only %s is left is set aside, and the replica is served",
  async (_, damage) => {
    const { a } = await makePowerless();
    rmSync(`${a.files.database}-wal`);
    damage(a.files.database);
    const before = readFileSync(a.files.database);
    expect(await a.boot()).toMatchObject({ outcome: "claimed", row: 11, content: "restored" });
    expect(a.texts()).toEqual(["one"]);
    const [folder = ""] = a.quarantined();
    expect(readFileSync(join(a.files.quarantine, folder, "app.db"))).toEqual(before);
  },
);

test.concurrent("an empty file where the database of a crashed process was is not resumed", async () => {
  const a = world.newMachine(await world.makeSite());
  await a.liveAndCrash({ replicated: ["one"] });
  truncateSync(a.files.database, 0);
  rmSync(`${a.files.database}-wal`);
  expect(await a.boot()).toMatchObject({ outcome: "claimed", row: 11, content: "restored" });
  expect(a.texts()).toEqual(["one"]);
});

test.concurrent("a damaged database that nothing else holds refuses, and stays where it is", async () => {
  const a = world.newMachine(await world.makeSite());
  await a.liveAndCrash({ onDisk: ["never left the disk"] });
  a.losePower();
  rmSync(`${a.files.database}-wal`);
  truncateSync(a.files.database, 100);
  expect(await a.boot()).toMatchObject({ outcome: "refused", row: 8, cause: expect.stringContaining("damaged") });
  expect([statSync(a.files.database).size, a.quarantined()]).toEqual([100, []]);
});

test.concurrent("a WAL without its database is set aside and does not spoil the restored one", async () => {
  const { a } = await makePowerless();
  rmSync(a.files.database);
  expect(statSync(`${a.files.database}-wal`).size).toBeGreaterThan(0);
  expect(await a.boot()).toMatchObject({ outcome: "claimed", row: 11, content: "restored" });
  expect(a.texts()).toEqual(["one"]);
  const [folder = ""] = a.quarantined();
  expect(existsSync(join(a.files.quarantine, folder, "app.db-wal"))).toBe(true);
});

test.concurrent("a WAL that somebody left on a new machine is set aside too", async () => {
  const { site, a } = await makePowerless();
  const b = world.newMachine(site);
  copyFileSync(`${a.files.database}-wal`, `${b.files.database}-wal`);
  expect(await b.boot()).toMatchObject({ outcome: "claimed", content: "restored" });
  expect(b.texts()).toEqual(["one"]);
});

test.concurrent("two histories with the same number of commits refuse, and both stay", async () => {
  const site = await world.makeSite();
  const a = world.newMachine(site);
  const { epoch } = await a.liveAndGoBack({ after: ["one"] });
  const twin = openDatabase(a.files.database, "writer");
  writeNote(twin, "another one");
  twin.close();
  a.losePower();
  expect(await a.boot()).toMatchObject({
    outcome: "refused",
    row: 11,
    cause: expect.stringContaining("two histories"),
  });
  expect(a.texts()).toEqual(["another one"]);
  a.loseDisk();
  expect(await a.boot()).toMatchObject({ outcome: "claimed", row: 10, content: "restored", parent: epoch });
  expect(a.texts()).toEqual(["one"]);
});

test.concurrent("a database without a mark is set aside, and quarantine keeps it beside a marked one", async () => {
  const { site, a } = await makePowerless();
  const b = world.newMachine(site);
  openDatabase(b.files.database, "writer").close();
  expect(await b.boot()).toMatchObject({
    outcome: "claimed",
    content: "restored",
    quarantined: expect.stringContaining("unmarked"),
  });
  const marked = await b.liveAndCrash({ onDisk: ["three"] }).then(() => b.files.mark);
  // Another machine goes on; this disk then comes into a new machine, with a database of an epoch that has ended.
  const c = world.newMachine(site);
  await c.liveAndCrash({ replicated: ["four"] });
  b.becomeAnother();
  expect(existsSync(marked)).toBe(true);
  expect(await b.boot()).toMatchObject({ outcome: "claimed", row: 11, content: "restored" });
  expect(b.texts()).toEqual(["one", "four"]);
  const [ofEpoch = "", unmarked = ""] = b
    .quarantined()
    .toSorted((one, other) => Number(one.endsWith("unmarked")) - Number(other.endsWith("unmarked")));
  expect(b.texts(join(b.files.quarantine, ofEpoch, "app.db"))).toEqual(["one", "three"]);
  expect(existsSync(join(b.files.quarantine, ofEpoch, "mark.json"))).toBe(true);
  expect(existsSync(join(b.files.quarantine, unmarked, "app.db"))).toBe(true);
  expect(a.texts()).toEqual(["one", "two"]);
});

test.concurrent("a damaged mark refuses with a hint, and following the hint boots", async () => {
  const { a } = await makePowerless();
  writeFileSync(a.files.mark, "{");
  expect(await a.boot()).toMatchObject({
    outcome: "refused",
    cause: expect.stringContaining(`${a.files.mark} is not JSON`),
    next: expect.stringContaining(a.files.dataDirectory),
  });
  expect(a.texts()).toEqual(["one", "two"]);
  a.loseDisk();
  expect(await a.boot()).toMatchObject({ outcome: "claimed", content: "restored" });
});

test.concurrent("files that a dead history staged never reach a prefix that is read", async () => {
  const site = await world.makeSite();
  const a = world.newMachine(site);
  await a.liveAndGoBack({ before: ["one"], after: ["two"] });
  expect(existsSync(a.files.litestreamState)).toBe(true);
  a.losePower();
  const report = await a.boot();
  expect([report.content, existsSync(a.files.litestreamState)]).toEqual(["restored", false]);
  const next = await a.live();
  next.write("three");
  await next.replicate();
  await next.crash();
  const b = world.newMachine(site);
  await b.boot();
  expect(b.texts()).toEqual(["one", "two", "three"]);
});

test.concurrent("a cloned disk opens a prefix of its own, and the original's bucket acknowledgements stop", async () => {
  const site = await world.makeSite();
  const [a, b] = [world.newMachine(site), world.newMachine(site)];
  const first = await a.boot();
  await using life = await a.live();
  life.write("one");
  await life.replicate();
  for (const name of ["app.db", "app.db-wal", "mark.json"])
    copyFileSync(join(a.files.dataDirectory, name), join(b.files.dataDirectory, name));
  const clone = await b.boot();
  expect(clone).toMatchObject({ outcome: "claimed", row: 11, content: "volume", parent: first.epoch });
  life.write("two");
  await expect(life.replicate(10_000)).rejects.toThrow(/has taken over|was superseded/);
  expect(await life.fenced).toContain(b.machine.machineId);
  expect(life.replication.state).toBe("fenced");
  expect(b.texts()).toEqual(["one"]);
});

test.concurrent("a process crash while the epoch is opening keeps what only the disk has", async () => {
  const { site } = await makePowerless();
  const b = world.newMachine(site);
  const { epoch } = await b.liveAndCrash({ onDisk: ["three"] });
  expect((await site.head()).state).toBe("opening");
  expect(await b.boot()).toMatchObject({ outcome: "resumed", epoch });
  expect(b.texts()).toEqual(["one", "three"]);
});

test.concurrent("a database that something else took out of WAL mode is set aside, and the replica is served", async () => {
  const { a } = await makePowerless();
  const foreign = openDatabase(a.files.database, "lock");
  foreign.pragma("journal_mode = DELETE");
  foreign.close();
  expect(await a.boot()).toMatchObject({ outcome: "claimed", row: 11, content: "restored" });
  expect(a.texts()).toEqual(["one"]);
  expect(a.quarantined()).toHaveLength(1);
});
