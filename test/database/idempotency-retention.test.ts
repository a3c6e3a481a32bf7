import { expect, test } from "vitest";

import { commitGroup, type GroupEngine } from "../../app/database/group-commit.ts";
import { idempotencyRetentionMs, makeRunningClock } from "../../app/database/idempotency.ts";
import { applyMigrations } from "../../app/database/migrate.ts";
import type { WriteAnswer } from "../../app/database/write-outcome.ts";
import type { WriteRequest } from "../../app/database/writer-messages.ts";
import { makeGroupFixture } from "./notes-database.ts";

const dayMs = 24 * 3600 * 1000;

/** A database under two clocks that a test turns: the wall's, and the one that only runs forward. */
function makeAgeingFixture() {
  const fixture = makeGroupFixture();
  const clocks = { wallMs: Date.UTC(2026, 10, 22), monotonicMs: 5000 };
  const openEngine = (): GroupEngine => ({
    ...fixture.engine,
    nowMs: () => clocks.wallMs,
    runningMs: makeRunningClock(fixture.db, () => clocks.monotonicMs),
  });
  let engine = openEngine();
  const send = (...requests: WriteRequest[]): WriteAnswer[] => commitGroup(engine, requests);
  const add = (from: number, count = 1): WriteAnswer[] =>
    send(...Array.from({ length: count }, (_, index) => makeRequest(`n${from + index}`, index)));
  const restart = (): void => {
    clocks.monotonicMs = 0;
    engine = openEngine();
  };
  const countKeys = (): unknown => fixture.db.prepare("select count(*) from _idempotency").pluck().get();
  const dispose = (): void => fixture[Symbol.dispose]();
  return { db: fixture.db, clocks, send, add, restart, countKeys, [Symbol.dispose]: dispose };
}

function makeRequest(id: string, index: number) {
  const input = { id, body: "" };
  return {
    id: index,
    command: "add-or-keep",
    input,
    durability: "commit",
    idempotency: { key: id, fingerprint: "" },
  } as const;
}

test("results kept for the retention are pruned, twice as many as come in, and younger ones stay", () => {
  using fixture = makeAgeingFixture();
  fixture.add(0, 10);
  fixture.clocks.monotonicMs += idempotencyRetentionMs;
  fixture.add(10);
  expect(fixture.countKeys()).toBe(11);
  fixture.clocks.monotonicMs += 1;
  fixture.add(11);
  expect(fixture.countKeys()).toBe(10);
  fixture.add(12, 10);
  expect(fixture.countKeys()).toBe(12);
});

test.each([
  ["eight days ahead and back", [8 * dayMs, 0]],
  ["ten years ahead", [3650 * dayMs]],
  ["back to 1970, then right", [-Date.UTC(2026, 10, 22), 0]],
])("a wall clock that goes %s prunes nothing", (_, jumps) => {
  using fixture = makeAgeingFixture();
  const rightMs = fixture.clocks.wallMs;
  fixture.add(0);
  for (const [index, jump] of jumps.entries()) {
    fixture.clocks.wallMs = rightMs + jump;
    fixture.restart();
    fixture.add(10 + index);
    expect(fixture.add(0)).toMatchObject([{ outcome: "done", replayed: true }]);
  }
});

test("running time goes on over restarts, and time in which nothing ran does not count", () => {
  using fixture = makeAgeingFixture();
  fixture.add(0);
  for (let day = 1; day <= 7; day += 1) {
    fixture.clocks.wallMs += 30 * dayMs;
    fixture.restart();
    fixture.clocks.monotonicMs += 1;
    fixture.add(-1000 - day);
    fixture.clocks.monotonicMs += dayMs;
    fixture.add(day);
  }
  expect(fixture.countKeys()).toBe(15);
  fixture.clocks.monotonicMs += 1;
  fixture.add(100);
  expect(fixture.add(0)).toMatchObject([{ replayed: false }]);
});

/** The table as the first release made it, and that release's own statements. */
const firstRelease = {
  table: `create table _idempotency (
    key text primary key, fingerprint text not null, result text not null, created_at integer not null) strict;
    create index _idempotency_created_at on _idempotency (created_at);`,
  find: "select fingerprint, result from _idempotency where key = ?",
  store: "insert into _idempotency (key, fingerprint, result, created_at) values (?, ?, ?, ?)",
  prune:
    "delete from _idempotency where key in (select key from _idempotency where created_at < ? order by created_at limit ?)",
};

test("a table of the first release is upgraded, its rows replay and age from then on", () => {
  using fixture = makeAgeingFixture();
  const { db } = fixture;
  db.exec(`drop table _idempotency; ${firstRelease.table}`);
  for (const key of ["old-1", "old-2", "old-3"]) db.prepare(firstRelease.store).run(key, "add-or-keep ", '"old"', 0);
  applyMigrations(db, []);
  applyMigrations(db, []);
  expect(fixture.send(makeRequest("old-1", 1))).toMatchObject([{ replayed: true, resultJson: '"old"' }]);
  fixture.add(0);
  const unstamped = "select count(*) from _idempotency where kept_from is null";
  expect(db.prepare(unstamped).pluck().get()).toBe(1);
  fixture.add(1);
  expect(db.prepare(unstamped).pluck().get()).toBe(0);
  expect(fixture.countKeys()).toBe(5);
  fixture.clocks.monotonicMs += idempotencyRetentionMs + 1;
  fixture.add(2, 3);
  expect(fixture.countKeys()).toBe(3);
});

test("the first release still reads, writes and prunes a table that this one has upgraded", () => {
  using fixture = makeAgeingFixture();
  fixture.add(0);
  const { db, clocks } = fixture;
  expect(db.prepare(firstRelease.find).get("n0")).toMatchObject({ result: '"added"' });
  db.prepare(firstRelease.prune).run(clocks.wallMs - idempotencyRetentionMs, 2);
  expect(fixture.countKeys()).toBe(1);
  db.prepare(firstRelease.store).run("back", "add-or-keep ", '"back"', clocks.wallMs);
  fixture.restart();
  fixture.add(1);
  expect(db.prepare("select count(*) from _idempotency where kept_from is null").pluck().get()).toBe(0);
});
