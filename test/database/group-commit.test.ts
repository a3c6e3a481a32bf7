import { sql } from "kysely";
import { expect, test } from "vitest";

import { defineCommand, indexCommands } from "../../app/database/command.ts";
import { readCommitSequence } from "../../app/database/commit-sequence.ts";
import { CommitOutcomeUnknown, commitGroup } from "../../app/database/group-commit.ts";
import { openDatabase } from "../../app/database/open-database.ts";
import type { Transaction } from "../../app/database/transaction.ts";
import type { WriteRequest } from "../../app/database/writer-messages.ts";
import { makeGroupFixture, readNotes } from "./notes-database.ts";
import { noteCommands, notes } from "./notes.ts";

const note = (id: string): { id: string; body: string } => ({ id, body: `body of ${id}` });

test.each([
  ["add-and-fail", { outcome: "failed", cause: "a mistake in a command" }],
  ["add-and-reject", { outcome: "rejected", code: "not-wanted", status: 409, detail: "note b is not wanted" }],
  ["add-and-commit", { outcome: "failed", cause: expect.stringContaining("must not yield") }],
  ["add-and-return-bigint", { outcome: "failed", cause: expect.stringContaining("BigInt") }],
  ["toString", { outcome: "failed", cause: expect.stringContaining("no such command") }],
])("%s undoes its own work alone, its neighbours commit", (command, expected) => {
  using fixture = makeGroupFixture();
  const answers = fixture.commit({ input: note("a") }, { command, input: note("b") }, { input: note("c") });
  expect(answers).toMatchObject([{ outcome: "done" }, { id: 2, ...expected }, { outcome: "done" }]);
  expect(Object.keys(readNotes(fixture.path))).toEqual(["a", "c"]);
});

test("a command sees what its neighbours of the same group wrote before it", () => {
  using fixture = makeGroupFixture();
  const answers = fixture.commit({ input: note("a") }, { command: "add-or-keep", input: note("a") });
  expect(answers[1]).toMatchObject({ outcome: "done", resultJson: '"kept"' });
  expect(readNotes(fixture.path)).toEqual({ a: "kept" });
});

test("one group is one commit: one step of the sequence, one new token", () => {
  using fixture = makeGroupFixture();
  const before = readCommitSequence(fixture.db);
  const answers = fixture.commit({ input: note("a") }, { input: note("b") });
  const after = readCommitSequence(fixture.db);
  expect(after.sequence).toBe(before.sequence + 1);
  expect(after.token).not.toBe(before.token);
  expect(answers).toMatchObject([{ sequence: after.sequence }, { sequence: after.sequence }]);
});

test("a group in which nothing succeeded leaves the sequence alone", () => {
  using fixture = makeGroupFixture();
  const before = readCommitSequence(fixture.db);
  fixture.commit({ command: "add-and-fail", input: note("a"), durability: "disk" });
  expect(readCommitSequence(fixture.db)).toEqual(before);
  expect(fixture.db.inTransaction).toBe(false);
});

test("when SQLite rolls everything back, every member that ran is refused and the others come in the next group", () => {
  using fixture = makeGroupFixture();
  const before = readCommitSequence(fixture.db);
  const queue = [makeRequest(1, "add-note"), makeRequest(2, "roll-back-everything"), makeRequest(3, "add-note")];
  expect(commitGroup(fixture.engine, queue)).toMatchObject([
    { id: 1, outcome: "refused", reason: "rolled-back", detail: "the trap sprang" },
    { id: 2, outcome: "refused", reason: "rolled-back" },
  ]);
  expect(readNotes(fixture.path)).toEqual({});
  expect(readCommitSequence(fixture.db)).toEqual(before);
  expect(queue.map(({ id }) => id)).toEqual([3]);
  expect(commitGroup(fixture.engine, queue)).toMatchObject([{ id: 3, outcome: "done" }]);
});

test("a full database refuses the whole group, keeps what was there, and goes on when there is space", () => {
  using fixture = makeGroupFixture();
  fixture.commit({ input: note("a") });
  fixture.db.pragma(`max_page_count = ${String(fixture.db.pragma("page_count", { simple: true }))}`);
  const answers = fixture.commit({ input: note("b") }, { input: { id: "big", body: "x".repeat(100_000) } });
  expect(answers).toMatchObject([1, 2].map((id) => ({ id, outcome: "refused", reason: "disk-full" })));
  expect(Object.keys(readNotes(fixture.path))).toEqual(["a"]);
  fixture.db.pragma("max_page_count = 100000");
  expect(fixture.commit({ input: note("c") })).toMatchObject([{ outcome: "done" }]);
});

test("a write lock held by another process for longer than the busy timeout refuses the group", () => {
  using fixture = makeGroupFixture();
  const other = openDatabase(fixture.path, "writer");
  other.exec("begin immediate");
  fixture.db.pragma("busy_timeout = 10");
  expect(fixture.commit({ input: note("a") })).toMatchObject([{ outcome: "refused", reason: "busy" }]);
  other.exec("rollback");
  other.close();
  expect(fixture.commit({ input: note("a") })).toMatchObject([{ outcome: "done" }]);
});

test("a COMMIT that leaves the transaction open is rolled back and refused", () => {
  using fixture = makeGroupFixture();
  fixture.db.exec("create table child (id text references notes (id) deferrable initially deferred)");
  const commands = indexCommands([...noteCommands, defineCommand("add-orphan", addOrphan)]);
  const answers = commitGroup({ ...fixture.engine, commands }, [
    makeRequest(1, "add-note"),
    makeRequest(2, "add-orphan"),
  ]);
  expect(answers).toMatchObject([
    { outcome: "refused", reason: "rolled-back", detail: "FOREIGN KEY constraint failed" },
    { outcome: "refused" },
  ]);
  expect(fixture.db.inTransaction).toBe(false);
  expect(readNotes(fixture.path)).toEqual({});
});

test("the fence refuses before BEGIN, and before COMMIT", () => {
  using fixture = makeGroupFixture();
  const before = readCommitSequence(fixture.db);
  for (const fencedAt of [1, 2]) {
    let looks = 0;
    const engine = { ...fixture.engine, isFenced: () => ++looks >= fencedAt };
    expect(commitGroup(engine, [makeRequest(1, "add-note")])).toMatchObject([{ outcome: "refused", reason: "fenced" }]);
    expect(looks).toBe(fencedAt);
  }
  expect(readNotes(fixture.path)).toEqual({});
  expect(readCommitSequence(fixture.db)).toEqual(before);
});

test("synchronous is what the strongest member asked for, and is set when the transaction begins", () => {
  using fixture = makeGroupFixture();
  const levels: unknown[] = [];
  function* noteLevel(): Transaction<void> {
    yield sql`select 1`.compile(notes);
    levels.push(fixture.db.pragma("synchronous", { simple: true }));
  }
  const engine = { ...fixture.engine, commands: indexCommands([defineCommand("note-level", noteLevel)]) };
  const groups: WriteRequest["durability"][][] = [
    ["commit"],
    ["commit", "disk", "commit"],
    ["commit"],
    ["disk"],
    ["disk"],
  ];
  for (const durabilities of groups) {
    const requests = durabilities.map((durability, id) => ({ id, command: "note-level", input: null, durability }));
    expect(commitGroup(engine, requests)).toHaveLength(durabilities.length);
  }
  expect(levels).toEqual([1, 2, 2, 2, 1, 2, 2]);
});

test("a group is bounded in members and in work, what is left stays queued in order", () => {
  using fixture = makeGroupFixture();
  const many = Array.from({ length: 1500 }, (_, index) => makeRequest(index, "do-nothing"));
  const answers = commitGroup(fixture.engine, many);
  expect(answers.map(({ id }) => id)).toEqual(Array.from({ length: 1000 }, (_, index) => index));
  expect(many[0]?.id).toBe(1000);
  const slow = [1, 2].map((id) => Object.assign(makeRequest(id, "hold-the-thread"), { input: { ms: 20 } }));
  expect(commitGroup({ ...fixture.engine, groupWorkMs: 5 }, slow)).toHaveLength(1);
  expect(slow).toHaveLength(1);
});

test("a COMMIT that does not tell whether it is there is never answered", () => {
  using fixture = makeGroupFixture();
  // Closing the connection inside the transaction makes COMMIT fail with the transaction gone.
  let looks = 0;
  const engine = {
    ...fixture.engine,
    isFenced: () => {
      looks += 1;
      if (looks === 2) fixture.db.close();
      return false;
    },
  };
  expect(() => commitGroup(engine, [makeRequest(1, "add-note")])).toThrow(CommitOutcomeUnknown);
});

function makeRequest(id: number, command: string): WriteRequest {
  return { id, command, input: note(`n${id}`), durability: "commit" };
}

function* addOrphan(): Transaction<void> {
  yield sql`insert into child (id) values ('nobody')`.compile(notes);
}
