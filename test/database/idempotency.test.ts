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
  expect(first).toMatchObject({ outcome: "done", replayed: false, resultJson: '{"id":"a","length":4}' });
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
    expect(fixture.commit({ input, idempotency })).toMatchObject([{ outcome: "done", replayed: false }]);
  },
);

test("each principal has keys of its own, and neither reads what the other's key did", () => {
  using fixture = makeGroupFixture();
  const ask = (principal: string, id: string) =>
    fixture.commit({ input: { id, body: principal }, idempotency: { key: "key-1", fingerprint: id, principal } });
  expect(ask("ada", "a")).toMatchObject([{ outcome: "done", replayed: false }]);
  expect(ask("bob", "b")).toMatchObject([{ outcome: "done", replayed: false }]);
  expect(ask("eve", "c")).toMatchObject([{ outcome: "done", replayed: false }]);
  expect(ask("ada", "a")).toMatchObject([{ replayed: true, resultJson: '{"id":"a","length":3}' }]);
  expect(ask("bob", "b")).toMatchObject([{ replayed: true, resultJson: '{"id":"b","length":3}' }]);
  expect(ask("bob", "a")).toMatchObject([{ outcome: "rejected", code: "idempotency-key-reused" }]);
  expect(readNotes(fixture.path)).toEqual({ a: "ada", b: "bob", c: "eve" });
});

test("a result of an older release, which knew no principals, replays for whoever may have made it", () => {
  using fixture = makeGroupFixture();
  fixture.commit({ input, idempotency });
  for (const principal of ["ada", "bob"]) {
    expect(fixture.commit({ input, idempotency: { ...idempotency, principal } })).toMatchObject([{ replayed: true }]);
  }
});

test("a request of nobody does not take over a principal's key", () => {
  using fixture = makeGroupFixture();
  fixture.commit({ input, idempotency: { ...idempotency, principal: "ada" } });
  const other = { id: "b", body: "nobody" };
  expect(fixture.commit({ input: other, idempotency })).toMatchObject([{ replayed: false }]);
  expect(fixture.commit({ input: other, idempotency })).toMatchObject([{ replayed: true }]);
});

test("a request for a replay only gives the stored result, and runs nothing where there is none", () => {
  using fixture = makeGroupFixture();
  const replayOnly = true;
  const [none] = fixture.commit({ input, idempotency, replayOnly });
  expect(none).toMatchObject({ outcome: "rejected", code: "nothing-to-replay" });
  expect(readNotes(fixture.path)).toEqual({});
  const [first] = fixture.commit({ input, idempotency });
  expect(fixture.commit({ input, idempotency, replayOnly })).toEqual([{ ...first, replayed: true }]);
  const reused = { ...idempotency, fingerprint: "f2" };
  expect(fixture.commit({ input, idempotency: reused, replayOnly })).toMatchObject([
    { code: "idempotency-key-reused" },
  ]);
  expect(fixture.commit({ input: { id: "b", body: "" }, replayOnly })).toMatchObject([{ code: "nothing-to-replay" }]);
  expect(readNotes(fixture.path)).toEqual({ a: "once" });
});
