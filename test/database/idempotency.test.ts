import { expect, test } from "vitest";

import { readCommitSequence } from "../../app/database/commit-sequence.ts";
import { makeGroupFixture, readNotes } from "./notes-database.ts";

const input = { id: "a", body: "once" };
const idempotency = { key: "key-1", fingerprint: "f1" };

test("a replay gives the stored result and writes nothing", () => {
  using fixture = makeGroupFixture();
  const [first] = fixture.commit({ input, idempotency });
  const sequence = readCommitSequence(fixture.db);
  const [replay] = fixture.commit({ input, idempotency });
  expect(first).toMatchObject({ outcome: "committed", replayed: false, resultJson: '{"id":"a","length":4}' });
  expect(replay).toEqual({ ...first, replayed: true });
  expect(readCommitSequence(fixture.db)).toEqual(sequence);
});

test("a replay at disk raises the sequence, so that its fsync covers the first commit", () => {
  using fixture = makeGroupFixture();
  fixture.commit({ input, idempotency });
  const before = readCommitSequence(fixture.db);
  const [replay] = fixture.commit({ input, idempotency, durability: "disk" });
  expect(replay).toMatchObject({ replayed: true, sequence: before.sequence + 1 });
  expect(readCommitSequence(fixture.db).token).not.toBe(before.token);
});

test("a repeat in the same group is a replay", () => {
  using fixture = makeGroupFixture();
  const answers = fixture.commit({ input, idempotency }, { input, idempotency });
  expect(answers).toMatchObject([{ replayed: false }, { replayed: true }]);
});

test.each([
  ["another body", { idempotency: { key: "key-1", fingerprint: "f2" } }],
  ["another command", { idempotency, command: "add-or-keep" }],
])("a key reused with %s is rejected and writes nothing", (_, second) => {
  using fixture = makeGroupFixture();
  fixture.commit({ input, idempotency });
  const [answer] = fixture.commit({ input: { id: "b", body: "x" }, ...second });
  expect(answer).toMatchObject({ outcome: "rejected", code: "idempotency-key-reused", status: 422 });
  expect(readNotes(fixture.path)).toEqual({ a: "once" });
});

test.each(["add-and-fail", "add-and-reject", "roll-back-everything"])(
  "%s stores no result: the same key may try again",
  (command) => {
    using fixture = makeGroupFixture();
    fixture.commit({ command, input, idempotency });
    expect(fixture.db.prepare("select * from _idempotency").all()).toEqual([]);
    expect(fixture.commit({ input, idempotency })).toMatchObject([{ outcome: "committed", replayed: false }]);
  },
);
