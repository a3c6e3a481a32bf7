import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chmodSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import type Database from "better-sqlite3";
import { afterEach, expect, test } from "vitest";

import { waitFor } from "../../app/cli/wait-for.ts";
import { ForeignWriter } from "../../app/database/foreign-writer.ts";
import { nameForeignWriter, nameSnapshotHolders } from "../../app/database/lock-holders.ts";
import { openDatabase } from "../../app/database/open-database.ts";
import { resolveBinary } from "../../scripts/build/resolve-binary.ts";
import { startWriterFixture } from "./notes-database.ts";
import { runChild } from "./run-child.ts";
import { makeTemporaryDirectory } from "./temporary-directory.ts";

const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
});

// It says that it holds its lock, and ends with its input.
const python = [
  "import sqlite3, sys",
  "c = sqlite3.connect(sys.argv[1], isolation_level=None)",
  "c.execute('pragma wal_autocheckpoint = 0')",
  "[c.execute(s).fetchall() for s in sys.argv[2:]]",
  "print('held', flush=True)",
  "sys.stdin.read()",
].join("\n");
const node = join(import.meta.dirname, "../../scripts/bench/rows/hold-snapshot.ts");

/** Starts another process on the database. When this returns, the process holds its lock. */
async function startHolder(file: string, words: readonly string[]): Promise<{ pid: number; end(): Promise<void> }> {
  const child = spawn(file, words, { stdio: ["pipe", "pipe", "inherit"] });
  children.push(child);
  const ended = once(child, "exit");
  const [said] = await Promise.race([once(child.stdout, "data"), ended]);
  expect(String(said).trim()).toBe("held");
  const end = async () => {
    child.stdin.end();
    await ended;
  };
  return { pid: child.pid ?? 0, end };
}

const holdInNode = (path: string) => startHolder(process.execPath, [node, path]);
const holdInPython = (path: string, ...statements: string[]) =>
  startHolder("python3", ["-c", python, path, ...statements]);
const readingStatements = ["begin", "select count(*) from notes"];

/** A database of one table, and a connection that writes to it. */
function makeNotes(): Disposable & { path: string; db: Database.Database; write(): void } {
  const directory = makeTemporaryDirectory();
  const path = join(directory.path, "app.db");
  const db = openDatabase(path, "writer");
  db.exec("create table notes (body text)");
  const write = (): void => void db.exec("insert into notes values ('text')");
  write();
  return {
    path,
    db,
    write,
    [Symbol.dispose]: () => {
      db.close();
      directory[Symbol.dispose]();
    },
  };
}

test("a WAL that a process of somebody else keeps from being reset: alarm, limit and cause name it", async () => {
  await using fixture = await startWriterFixture({ walAlarmBytes: 200_000, walLimitBytes: 400_000 });
  const { writer, path, logged } = fixture;
  const add = (id: number): Promise<unknown> =>
    writer.execute("add-note", { id: `n${id}`, body: "x".repeat(20_000) }, { durability: "commit" });
  await add(0);
  expect(writer.cause).toBe(null);
  const holder = await holdInNode(path);
  for (let id = 1; writer.state === "accepting"; id++) {
    await add(id);
    await sleep(15);
  }
  const named = `held by node (process ${holder.pid}, comm MainThread, started by this server)`;
  expect(logged.filter(({ message }) => message.includes("WAL"))).toMatchObject([
    { message: "the WAL reached its alarm size", fields: { cause: expect.stringContaining(named) } },
    { message: "the WAL reached its limit and writes are refused", fields: { cause: expect.stringContaining(named) } },
  ]);
  expect(writer.cause).toContain(named);
  await holder.end();
  const db = openDatabase(path, "writer");
  db.pragma("wal_checkpoint(PASSIVE)");
  db.exec("create table other (id integer)");
  db.close();
  await waitFor("writes to be accepted", async () => (writer.state === "accepting" ? true : null), {
    timeoutMs: 1_000,
  });
  expect(writer.cause).toBe(null);
});

test("of two readers the one with the older snapshot is named", async () => {
  using notes = makeNotes();
  const old = await holdInNode(notes.path);
  notes.write();
  await holdInPython(notes.path, ...readingStatements);
  notes.write();
  expect(nameSnapshotHolders({ databasePath: notes.path })).toBe(
    `held by node (process ${old.pid}, comm MainThread, started by this server)`,
  );
});

test("a reader of the newest state is not in the way", async () => {
  using notes = makeNotes();
  await holdInNode(notes.path);
  expect(nameSnapshotHolders({ databasePath: notes.path })).toContain("unknown: no process that is visible here");
});

test("a reader of this process is reported as the server's own, and looking drops none of its locks", async () => {
  using notes = makeNotes();
  const reader = openDatabase(notes.path, "reader");
  reader.exec("begin");
  reader.prepare("select * from notes").all();
  notes.write();
  const named = `held by an own reader of this server (process ${process.pid})`;
  expect(nameSnapshotHolders({ databasePath: notes.path })).toBe(named);
  expect(nameSnapshotHolders({ databasePath: notes.path })).toBe(named);
  reader.close();
  expect(nameSnapshotHolders({ databasePath: notes.path })).toContain("unknown");
});

test.each([
  { whose: "this database's own", underLock: true, words: /^held by Litestream \(process \d+\)$/ },
  { whose: "a leftover", underLock: false, words: /^held by a Litestream that is not this database's own \(process / },
])("a Litestream that stands still is named, here $whose", async ({ underLock, words }) => {
  using notes = makeNotes();
  const directory = dirname(notes.path);
  const config = join(directory, "litestream.yml");
  const litestreamLock = join(directory, "litestream.lock");
  const replica = { type: "file", path: join(directory, "replica") };
  writeFileSync(config, JSON.stringify({ dbs: [{ path: notes.path, replica }] }));
  writeFileSync(litestreamLock, "");
  const replicate = [await resolveBinary("litestream"), "replicate", "-config", config];
  const command = underLock ? ["flock", "--no-fork", litestreamLock, ...replicate] : replicate;
  const litestream = spawn(command[0] ?? "", command.slice(1), { stdio: "ignore" });
  children.push(litestream);
  const places = { databasePath: notes.path, litestreamLock };
  const probe = async () => {
    litestream.kill("SIGSTOP");
    notes.write();
    const named = nameSnapshotHolders(places);
    if (named.startsWith("held")) return named;
    litestream.kill("SIGCONT");
    return null;
  };
  const named = await waitFor("Litestream's snapshot", probe, { timeoutMs: 20_000, everyMs: 200 });
  expect(named).toMatch(words);
  expect(named).toContain(`(process ${litestream.pid})`);
});

test("the process that holds the write lock is named, and is forgotten when it lets go", async () => {
  using notes = makeNotes();
  expect(nameForeignWriter({ databasePath: notes.path })).toBe(null);
  const holder = await holdInPython(notes.path, "begin immediate");
  expect(nameForeignWriter({ databasePath: notes.path })).toMatch(new RegExp(`^python3.* \\(process ${holder.pid}`));
  await holder.end();
  expect(nameForeignWriter({ databasePath: notes.path })).toBe(null);
});

test("writes that time out on another tool's write lock are refused, the tool is named, and writes work once it is free", async () => {
  await using fixture = await startWriterFixture();
  const { writer, path, logged } = fixture;
  const holder = await holdInPython(path, "begin immediate");
  const write = () => writer.execute("add-note", { id: "a", body: "" }, { durability: "commit" });
  await expect(write()).rejects.toMatchObject({ reason: "busy" });
  const cause = expect.stringMatching(new RegExp(`holds the write lock: python3.* \\(process ${holder.pid}`));
  expect({ state: writer.state, cause: writer.cause }).toEqual({ state: "refusing", cause });
  await holder.end();
  expect({ state: writer.state, cause: writer.cause }).toEqual({ state: "accepting", cause: null });
  await write();
  expect(logged.filter(({ message }) => message.includes("write lock"))).toEqual([
    { message: "the write lock is not free and writes are refused", fields: { cause } },
    { message: "the write lock is free again", fields: {} },
  ]);
});

test("a holder of the write lock that the kernel does not show counts until a commit", () => {
  using notes = makeNotes();
  const logged: string[] = [];
  const keep = (_fields: object, message: string): void => void logged.push(message);
  const foreign = new ForeignWriter({ databasePath: notes.path }, { info: keep, warn: keep, error: keep });
  expect(foreign.cause).toBe(null);
  foreign.noteBusy();
  foreign.noteBusy();
  expect(foreign.cause).toBe(
    "another connection holds the write lock: unknown, for no process that is visible here does",
  );
  foreign.noteFree();
  expect(foreign.cause).toBe(null);
  expect(logged).toEqual(["the write lock is not free and writes are refused", "the write lock is free again"]);
});

const canSeparate = spawnSync("unshare", ["-rpf", "--mount-proc", "true"]).status === 0;
test.skipIf(!canSeparate)("a holder in another PID namespace is unknown", async () => {
  using notes = makeNotes();
  await holdInNode(notes.path);
  notes.write();
  const seen = await runChild("name-holders.ts", [notes.path], ["unshare", "-rpf", "--mount-proc"]);
  expect(seen).toEqual({ snapshot: expect.stringMatching(/^unknown: no process that is visible here/), writer: null });
});

const isRoot = process.getuid?.() === 0;
test.skipIf(!canSeparate || !isRoot)("where the unit hides processes of others, the pid remains", async () => {
  using notes = makeNotes();
  const holder = await holdInNode(notes.path);
  notes.write();
  chmodSync(dirname(notes.path), 0o777);
  for (const suffix of ["", "-wal", "-shm"]) chmodSync(`${notes.path}${suffix}`, 0o666);
  // As ProtectProc=invisible does it for the app's user.
  const hide = 'mount -t proc -o hidepid=2 proc /proc && exec setpriv --reuid 65534 --regid 65534 --clear-groups "$@"';
  const seen = await runChild("name-holders.ts", [notes.path], ["unshare", "-m", "sh", "-c", hide, "sh"]);
  expect(seen).toMatchObject({
    snapshot: `held by process ${holder.pid}, whose name is hidden from this one (ps -p ${holder.pid} tells it)`,
  });
});
