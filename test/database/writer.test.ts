import { readFileSync } from "node:fs";
import { join } from "node:path";

import { expect, test } from "vitest";

import { readCommitSequence } from "../../app/database/commit-sequence.ts";
import { openDatabase } from "../../app/database/open-database.ts";
import { startWriter } from "../../app/database/start-writer.ts";
import { CommandFailed, CommandRejected, WriteOutcomeUnknown, WriteRefused } from "../../app/database/write-outcome.ts";
import { defaultWriterOptions, readNotes, startWriterFixture } from "./notes-database.ts";
import { makeTemporaryDirectory } from "./temporary-directory.ts";

const toCommit = { durability: "commit" } as const;
const note = (id: string): { id: string; body: string } => ({ id, body: `body of ${id}` });

test("an answered write is committed, and the answer names its commit sequence", async () => {
  await using fixture = await startWriterFixture();
  const answer = await fixture.writer.execute("add-note", note("a"), { durability: "disk" });
  const db = openDatabase(fixture.path, "reader");
  expect(answer).toMatchObject({
    resultJson: '{"id":"a","length":9}',
    result: { id: "a", length: 9 },
    replayed: false,
    sequence: readCommitSequence(db).sequence,
  });
  db.close();
  expect(fixture.bodies()).toEqual({ a: "body of a" });
});

test("writes that wait together share commits, and each gets its own answer", async () => {
  await using fixture = await startWriterFixture();
  const { writer } = fixture;
  const held = writer.execute("hold-the-thread", { ms: 50 }, toCommit);
  const ids = Array.from({ length: 200 }, (_, index) => `n${index}`);
  const answers = await Promise.all(ids.map((id) => writer.execute("add-note", note(id), toCommit)));
  await held;
  expect(answers.map(({ result }) => result)).toEqual(ids.map((id) => ({ id, length: `body of ${id}`.length })));
  expect(new Set(answers.map(({ sequence }) => sequence)).size).toBeLessThan(50);
  expect(Object.keys(fixture.bodies())).toHaveLength(200);
});

test("a command's refusal and a command's failure arrive as different errors", async () => {
  await using fixture = await startWriterFixture();
  const { writer } = fixture;
  const rejected = await catchError(writer.execute("add-and-reject", note("a"), toCommit));
  expect(rejected).toBeInstanceOf(CommandRejected);
  expect(rejected).toMatchObject({ code: "not-wanted", status: 409, detail: "note a is not wanted" });
  const failed = await catchError(writer.execute("add-and-fail", note("a"), toCommit));
  expect(failed).toBeInstanceOf(CommandFailed);
  expect(failed).toMatchObject({ message: 'command "add-and-fail" failed: a mistake in a command' });
  const rolledBack = await catchError(writer.execute("roll-back-everything", note("a"), toCommit));
  expect(rolledBack).toBeInstanceOf(WriteRefused);
  expect(fixture.bodies()).toEqual({});
});

test("a full queue refuses at once, and what it refused is never written", async () => {
  await using fixture = await startWriterFixture({ queueLimit: 3 });
  const { writer } = fixture;
  const accepted = [writer.execute("hold-the-thread", { ms: 100 }, toCommit)];
  accepted.push(writer.execute("add-note", note("a"), toCommit), writer.execute("add-note", note("b"), toCommit));
  const refused = await catchError(writer.execute("add-note", note("c"), toCommit));
  expect(refused).toMatchObject({ name: "WriteRefused", reason: "queue-full", retryAfterSeconds: 1 });
  expect(writer.queueLength).toBe(3);
  await Promise.all(accepted);
  expect(writer.queueLength).toBe(0);
  await writer.execute("add-note", note("d"), toCommit);
  expect(Object.keys(fixture.bodies())).toEqual(["a", "b", "d"]);
});

test("a WAL over its alarm is logged once, over its limit it refuses writes, and a checkpoint by another process ends that", async () => {
  await using fixture = await startWriterFixture({ walAlarmBytes: 100_000, walLimitBytes: 200_000 });
  const { writer, logged } = fixture;
  const add = (index: number): Promise<unknown> =>
    writer.execute("add-note", { id: `n${index}`, body: "x".repeat(20_000) }, toCommit);
  let index = 0;
  // Under SQLite's own autocheckpoint of 1000 pages, so that only the guard can end this loop.
  while (index < 150 && writer.state === "accepting") {
    await add(index++);
    await sleep(15);
  }
  expect(writer.state).toBe("refusing");
  await sleep(15);
  expect(writer.walBytes).toBeGreaterThanOrEqual(200_000);
  expect(await catchError(add(index))).toMatchObject({ reason: "wal-too-big" });
  const walMessages = logged.map(({ message }) => message).filter((message) => message.includes("WAL"));
  expect(walMessages).toEqual([expect.stringContaining("alarm size"), expect.stringContaining("writes are refused")]);
  checkpointAsLitestream(fixture.path);
  await sleep(15);
  expect(writer.state).toBe("accepting");
  await add(index);
  expect(Object.keys(fixture.bodies())).toHaveLength(index + 1);
});

test("drain answers all that was accepted and refuses what comes after", async () => {
  await using fixture = await startWriterFixture();
  const { writer } = fixture;
  const accepted = [
    writer.execute("hold-the-thread", { ms: 50 }, toCommit),
    writer.execute("add-note", note("a"), toCommit),
  ];
  const drained = writer.drain();
  expect(writer.state).toBe("stopping");
  expect(await catchError(writer.execute("add-note", note("b"), toCommit))).toMatchObject({ reason: "stopping" });
  await drained;
  expect(writer.queueLength).toBe(0);
  await Promise.all(accepted);
  expect(fixture.bodies()).toEqual({ a: "body of a" });
});

test("a fenced writer writes nothing more, not even what it had accepted", async () => {
  await using fixture = await startWriterFixture();
  const { writer } = fixture;
  await writer.execute("add-note", note("a"), toCommit);
  const waiting = [
    writer.execute("hold-the-thread", { ms: 100 }, toCommit),
    writer.execute("add-note", note("b"), toCommit),
  ];
  const errors = Promise.all(waiting.map(catchError));
  writer.fence();
  expect(writer.state).toBe("refusing");
  expect(await catchError(writer.execute("add-note", note("c"), toCommit))).toMatchObject({ reason: "fenced" });
  expect(await errors).toMatchObject([{ reason: "fenced" }, { reason: "fenced" }]);
  expect(fixture.bodies()).toEqual({ a: "body of a" });
});

test("when the thread dies every waiting write ends as unknown, and the listener is called once", async () => {
  await using fixture = await startWriterFixture();
  const { writer } = fixture;
  const failures: Error[] = [];
  writer.onFailure((error) => failures.push(error));
  await writer.execute("add-note", note("a"), toCommit);
  const waiting = [
    writer.execute("end-the-thread", note("b"), toCommit),
    writer.execute("add-note", note("c"), toCommit),
  ];
  const errors = await Promise.all(waiting.map(catchError));
  for (const error of errors) expect(error).toBeInstanceOf(WriteOutcomeUnknown);
  expect(failures).toMatchObject([{ message: "the writer thread ended with code 3" }]);
  expect(writer.state).toBe("stopping");
  expect(await catchError(writer.execute("add-note", note("d"), toCommit))).toMatchObject({ reason: "stopping" });
  await expect(writer.drain()).rejects.toThrow("the writer thread ended");
  const late: Error[] = [];
  writer.onFailure((error) => late.push(error));
  expect(late).toHaveLength(1);
  expect(fixture.bodies()).toEqual({ a: "body of a" });
});

test("closing leaves the WAL to Litestream: nothing is checkpointed, nothing deleted", async () => {
  using directory = makeTemporaryDirectory();
  const path = join(directory.path, "app.db");
  const writer = await startWriter(defaultWriterOptions(path));
  await writer.execute("add-note", note("a"), toCommit);
  const before = [readFileSync(path), readFileSync(`${path}-wal`)];
  await writer.close();
  await writer.close();
  expect([readFileSync(path), readFileSync(`${path}-wal`)]).toEqual(before);
  expect(readNotes(path)).toEqual({ a: "body of a" });
});

test("a write that cannot be sent to the thread is refused and takes no place in the queue", async () => {
  await using fixture = await startWriterFixture({ queueLimit: 1 });
  const { writer } = fixture;
  await expect(writer.execute("add-note", { id: () => "a function" }, toCommit)).rejects.toThrow(/could not be cloned/);
  expect(writer.queueLength).toBe(0);
  await writer.execute("add-note", note("a"), toCommit);
});

test("a write that cannot be sent does not take its neighbours of the same turn with it", async () => {
  await using fixture = await startWriterFixture();
  const { writer } = fixture;
  const inputs = [note("a"), { id: () => "a function" }, note("b")];
  const answers = await Promise.allSettled(inputs.map((input) => writer.execute("add-note", input, toCommit)));
  expect(answers.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
  expect(Object.keys(fixture.bodies())).toEqual(["a", "b"]);
});

test("a fence refuses what waits for the end of the turn", async () => {
  await using fixture = await startWriterFixture();
  const waiting = catchError(fixture.writer.execute("add-note", note("a"), toCommit));
  fixture.writer.fence();
  expect(await waiting).toMatchObject({ reason: "fenced" });
  expect(fixture.bodies()).toEqual({});
});

async function catchError(promise: Promise<unknown>): Promise<unknown> {
  return await promise.then(
    () => "no error",
    (error: unknown) => error,
  );
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

// Another connection copies the WAL into the database and then writes, so that the WAL starts again from its beginning.
function checkpointAsLitestream(path: string): void {
  const db = openDatabase(path, "writer");
  db.pragma("wal_checkpoint(PASSIVE)");
  db.exec(
    "create table if not exists _litestream_seq (id integer primary key); insert or replace into _litestream_seq values (1)",
  );
  db.close();
}
