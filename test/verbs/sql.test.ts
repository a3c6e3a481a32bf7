import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";

import { afterAll, beforeAll, expect, test } from "vitest";

import { quote } from "../../app/cli/quote.ts";
import { openDatabase } from "../../app/database/open-database.ts";
import { NotARead, readByHand } from "../../app/database/read-by-hand.ts";
import { makeTemporaryDirectory } from "../database/temporary-directory.ts";
import { describeMachine } from "./machine-environment.ts";
import { runLifeboat } from "./run-lifeboat.ts";

const directory = makeTemporaryDirectory();
const { environment, files } = describeMachine(directory.path);
const endless = "with recursive n(i) as (select 1 union all select i + 1 from n) select count(*) from n";

const sql = (...words: string[]) => runLifeboat(["sql", ...words], environment);
const digest = (path: string) => createHash("sha256").update(readFileSync(path)).digest("hex");

// Its process died with commits in the WAL, so a reader is alone with them.
beforeAll(async () => {
  const script = join(import.meta.dirname, "../database/children/acknowledging-writer.ts");
  const child = spawn(process.execPath, [script, files.database], { stdio: ["ignore", "pipe", "inherit"] });
  const exited = once(child, "exit");
  let answered = 0;
  createInterface({ input: child.stdout }).on("line", () => {
    answered += 1;
    if (answered === 50) child.kill("SIGKILL");
  });
  await exited;
  expect(answered).toBeGreaterThanOrEqual(50);
}, 60_000);
afterAll(() => directory[Symbol.dispose]());

test("a statement is answered as a table and as JSON, and says that the app does not run", () => {
  const asTable = sql("select id, body from notes where id = 'client-0-0'");
  expect(asTable).toEqual({
    status: 0,
    stdout: "ID          BODY\nclient-0-0  body of client-0-0\n",
    stderr: "the app does not run; this is the database as it lies on the disk\n",
  });
  const asJson = sql("--json", "select 9007199254740993 as n, 1 as n, x'00ff' as b, null as x, 1.5 as r");
  expect(JSON.parse(asJson.stdout)).toEqual({
    columns: ["n", "n", "b", "x", "r"],
    rows: [["9007199254740993", 1, "x'00ff'", null, 1.5]],
    isComplete: true,
  });
});

test("a reader that is alone with the WAL of a dead app leaves both as they were", () => {
  const before = [digest(files.database), digest(`${files.database}-wal`)];
  const { stdout } = sql("--json", "select count(*) from notes");
  expect(JSON.parse(stdout).rows[0][0]).toBeGreaterThanOrEqual(50);
  expect([digest(files.database), digest(`${files.database}-wal`)]).toEqual(before);
});

test.each([
  "insert into notes values ('x', 'y')",
  "insert into notes values ('x', 'y') returning id",
  "/* quiet */ -- quiet\n delete from notes",
  "with gone as (select 1) delete from notes",
  "explain delete from notes",
  "pragma wal_checkpoint(truncate)",
  "pragma wal_checkpoint",
  "pragma main.wal_checkpoint",
  "explain pragma wal_checkpoint",
  "/**/pragma journal_mode = delete",
  "pragma locking_mode = exclusive",
  "pragma wal_autocheckpoint = 1000",
  "pragma user_version(7)",
  "pragma optimize",
  "begin",
  "begin immediate",
  "vacuum",
  "vacuum into '/tmp/never'",
  "attach '/tmp/never' as other",
  "create temp table t (a)",
  "reindex",
  "",
])("%j is refused before SQLite sees it", (statement) => {
  const db = openDatabase(files.database, "reader");
  expect(() => readByHand(db, statement, 10)).toThrow(NotARead);
  db.close();
});

test.each(["insert into notes values ('x', 'y') returning id", "pragma wal_checkpoint(truncate)"])(
  "%j changes nothing, and the refusal says what may be typed",
  (statement) => {
    const before = [digest(files.database), digest(`${files.database}-wal`)];
    const { status, stdout, stderr } = sql(statement);
    expect([status, stdout]).toEqual([1, ""]);
    expect(stderr).toContain("only select, with, values, explain and pragmas that read are run here");
    expect([digest(files.database), digest(`${files.database}-wal`)]).toEqual(before);
  },
);

test.each([
  "pragma table_info(notes)",
  "-- all of them\n/* of both kinds */ PRAGMA main.table_list;",
  "explain query plan select 1",
  "values (1)",
  "with one as (select 1 as a) select a from one",
  "pragma page_size",
])("%j is read", (statement) => {
  const db = openDatabase(files.database, "reader");
  expect(readByHand(db, statement, 100).rows.length).toBeGreaterThan(0);
  db.close();
});

test.each([
  ["select * from note", "no such table: note; what there is: select name, sql from sqlite_schema"],
  ["select nmae from notes", "no such column: nmae; what there is"],
  ["selec 1", "only select, with"],
  ["select 1 from", "incomplete input"],
  ["select 1; select 2", "more than one statement"],
])("%j is told as what is wrong with it", (statement, cause) => {
  const { status, stderr } = sql(statement);
  expect(status).toBe(1);
  expect(stderr).toContain(`lifeboat sql: ${cause.startsWith("only") ? "only" : ""}`);
  expect(stderr).toContain(cause);
});

test.each([
  [["select", "1"], '"1" is one word too many after the statement, which stands in quotes'],
  [["select 1", "--limit", "11m"], "--limit: it must be more than 0s and at most 10m"],
  [["select 1", "--rows", "-3"], "--rows"],
  [["select 1", "--write"], "Unknown option '--write'"],
])("sql %j is refused with 64", (words, cause) => {
  const { status, stderr } = sql(...words);
  expect(status).toBe(64);
  expect(stderr).toContain(cause);
});

test("what reads too long is stopped at its limit, and its snapshot is gone", () => {
  const { status, stderr } = sql(endless, "--limit", "1s");
  expect(status).toBe(1);
  expect(stderr).toContain("it took longer than 1 s and was stopped");
  const db = openDatabase(files.database, "writer");
  const [{ busy } = { busy: 1 }] = Object(db.pragma("wal_checkpoint(restart)"));
  db.close();
  expect(busy).toBe(0);
});

test("no more rows than were asked for are printed, and nothing that a terminal would obey", () => {
  const { stdout } = sql(
    "select char(27) || '[2J' || char(10) || column1 as x from (values (1), (2), (3))",
    "--rows",
    "2",
  );
  expect(stdout).toBe(String.raw`X
\x1b[2J\n1
\x1b[2J\n2
only the first 2 rows; --rows shows more
`);
});

test("a statement may come on standard input", () => {
  const { stdout } = spawnSync(process.execPath, [join(import.meta.dirname, "../../app/lifeboat.ts"), "sql"], {
    env: environment,
    input: "select 1 as one;\n",
    encoding: "utf8",
  });
  expect(stdout).toBe("ONE\n1\n");
});

test("on a terminal it is a shell: statements over lines, shortcuts, errors that do not end it, and an end", () => {
  const command = [process.execPath, join(import.meta.dirname, "../../app/lifeboat.ts"), "sql", "--limit", "1s"];
  const typed = [
    "select 40 +",
    "2 as sum;",
    ".tables",
    "drop table notes;",
    `${endless};`,
    "select 'again' as word;",
    ".quit",
  ];
  const { status, stdout } = spawnSync("script", ["-qec", command.map(quote).join(" "), "/dev/null"], {
    env: { ...environment, TERM: "dumb" },
    input: `${typed.join("\n")}\n`,
    encoding: "utf8",
    timeout: 60_000,
  });
  expect(status).toBe(0);
  expect(stdout).toMatch(/SUM\r\n42\r\n/);
  expect(stdout).toMatch(/NAME\r\n[^]*notes\r\n/);
  expect(stdout).toMatch(/only select, with[^]*took longer than 1 s[^]*WORD\r\nagain\r\n/);
});

test("without a database it says so, and what boot said", () => {
  using empty = makeTemporaryDirectory();
  const { status, stderr } = runLifeboat(["sql", "select 1"], describeMachine(empty.path).environment);
  expect(status).toBe(1);
  expect(stderr).toMatch(/there is no database at .*app\.db: boot has not[^]*lifeboat logs boot/);
  expect(existsSync(join(empty.path, "app.db"))).toBe(false);
});

test("where nothing is set up it says what is missing", () => {
  const { status, stderr } = runLifeboat(["sql", "select 1"]);
  expect(status).toBe(1);
  expect(stderr).toContain("this is no machine of Lifeboat");
});
