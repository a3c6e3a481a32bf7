import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { execPath } from "node:process";
import { setImmediate } from "node:timers/promises";

import { expect, test } from "vitest";

import { waitFor, within } from "../../app/cli/wait-for.ts";
import { CommandFailed, WriteOutcomeUnknown, WriteRefused } from "../../app/database/write-outcome.ts";
import { startWriterFixture } from "./notes-database.ts";

const toCommit = { durability: "commit" } as const;
const note = { id: "a", body: "body" };

test("a stuck writer shows the age of its oldest write, refuses the next ones, and goes on when the command ends", async () => {
  await using fixture = await startWriterFixture({ watchLimits: { refuseMs: 300, endMs: 60_000 } });
  const { writer } = fixture;
  expect(writer.oldestWriteMs).toBe(null);
  const held = writer.execute("hold-the-thread", { ms: 2_000 }, toCommit);
  const waiting = writer.execute("add-note", note, toCommit);
  await waitFor("the refusal", async () => (writer.state === "refusing" ? true : null), { timeoutMs: 10_000 });
  expect(writer.oldestWriteMs).toBeGreaterThan(300);
  const refused = await catchError(writer.execute("add-note", { ...note, id: "b" }, toCommit));
  expect(refused).toBeInstanceOf(WriteRefused);
  expect(refused).toMatchObject({ reason: "writer-stuck" });
  await waitFor("the log", async () => fixture.logged.find(isStuck) ?? null, { timeoutMs: 10_000 });
  expect(fixture.logged.find(isStuck)).toMatchObject({
    message: "the writer is stuck, further writes are refused",
    fields: { command: "hold-the-thread", queueLength: 2 },
  });
  await Promise.all([held, waiting]);
  expect({ state: writer.state, oldest: writer.oldestWriteMs }).toEqual({ state: "accepting", oldest: null });
  expect(fixture.bodies()).toEqual({ a: "body" });
});

test("past the second limit the writer fails once, and names the command and how long it runs", async () => {
  await using fixture = await startWriterFixture({ watchLimits: { refuseMs: 100, endMs: 1_500 } });
  const { writer } = fixture;
  const failures: Error[] = [];
  writer.onFailure((error) => failures.push(error));
  // In one batch with the command that hangs, or committed before it.
  const first = writer.execute("add-note", note, toCommit).catch(() => null);
  const second = catchError(writer.execute("hold-the-thread", { ms: 3_000 }, toCommit));
  const [, held] = await within("the failure", 10_000, Promise.all([first, second]));
  expect(held).toBeInstanceOf(WriteOutcomeUnknown);
  expect(failures).toEqual([
    expect.objectContaining({
      message: expect.stringMatching(/^command "hold-the-thread" has been running for \d+\.\d s/),
    }),
  ]);
  expect(writer.state).toBe("stopping");
});

test("a pause of the whole process does not count as a stuck writer", async () => {
  await using fixture = await startWriterFixture({ watchLimits: { refuseMs: 1_000, endMs: 2_000 } });
  const { writer } = fixture;
  const failures: Error[] = [];
  writer.onFailure((error) => failures.push(error));
  const write = writer.execute("hold-the-thread", { ms: 3_200 }, toCommit);
  // Requests are sent at the end of the turn.
  await setImmediate();
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 3_000);
  await write;
  expect(failures).toEqual([]);
});

test("a command that throws brings the stack of the writer thread", async () => {
  await using fixture = await startWriterFixture();
  const failed = await catchError(fixture.writer.execute("add-and-fail", note, toCommit));
  if (!(failed instanceof CommandFailed) || !(failed.cause instanceof Error)) throw new Error("no cause");
  expect(failed.cause.stack).toMatch(/^TypeError: a mistake in a command\n +at .*addAndFail .*notes\.ts/);
});

test("a process ends by itself, with 1 and the command's name, though SQLite never returns to its writer thread", () => {
  const child = spawnSync(execPath, [join(import.meta.dirname, "children/stuck-process.ts")], {
    env: { ...process.env, ...environment },
    encoding: "utf8",
    timeout: 20_000,
    killSignal: "SIGKILL",
  });
  expect({ code: child.status, signal: child.signal }, child.stderr).toEqual({ code: 1, signal: null });
  expect(child.stdout, child.stderr).toContain('command \\"loop-in-sqlite\\" has been running');
});

const environment = {
  LIFEBOAT_DATA_DIR: "/nowhere",
  LIFEBOAT_RUN_DIR: "/nowhere",
  LIFEBOAT_BUCKET: "b",
  LIFEBOAT_REGION: "r",
  LIFEBOAT_BUCKET_ID: "b",
  LITESTREAM_ACCESS_KEY_ID: "k",
  LITESTREAM_SECRET_ACCESS_KEY: "s",
  LIFEBOAT_API_TOKENS_SHA256: "0".repeat(64),
  LIFEBOAT_MACHINE_ID: "m",
};

async function catchError(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error("nothing was thrown");
}

function isStuck({ message }: { message: string }): boolean {
  return message.startsWith("the writer is stuck");
}
