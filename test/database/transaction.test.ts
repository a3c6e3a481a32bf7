import Database from "better-sqlite3";
import { sql } from "kysely";
import { expect, expectTypeOf, test, vi } from "vitest";

import { openDatabase } from "../../app/database/open-database.ts";
import { openReader, type Reader } from "../../app/database/reader.ts";
import {
  prepareStatement,
  query,
  queryAlone,
  type Reading,
  runTransaction,
  type Transaction,
} from "../../app/database/transaction.ts";
import { makeGroupFixture, readNotes } from "./notes-database.ts";
import { notes, readBodies } from "./notes.ts";

const hostileTexts = [
  "'); drop table notes; --",
  '"; delete from notes where "1"="1',
  "' or 1=1 --",
  "%_\\",
  "?1 $1 :id @id",
  "line\nbreak\r\n\ttab",
  "'' \u2019 \u{1f6df} \ufeff",
];

test.each(hostileTexts)("SQL in a text field is data: %j", (text) => {
  using fixture = makeGroupFixture();
  runTransaction(fixture.db, addNote(text, text));
  runTransaction(fixture.db, addNote("other", "stays"));
  expect(readNotes(fixture.path)).toEqual({ [text]: text, other: "stays" });
  const [found] = runTransaction(fixture.db, findNote(text));
  expect(found?.id).toBe(text);
});

test("a transaction that throws leaves nothing", () => {
  using fixture = makeGroupFixture();
  expect(() => runTransaction(fixture.db, addTwice())).toThrow(/UNIQUE/);
  expect(fixture.db.inTransaction).toBe(false);
  expect(readNotes(fixture.path)).toEqual({});
});

test("a failing statement throws inside the generator, which may go on", () => {
  using fixture = makeGroupFixture();
  expect(runTransaction(fixture.db, addOrSay())).toMatch(/UNIQUE/);
  expect(readNotes(fixture.path)).toEqual({ a: "first" });
});

test.each([
  "commit",
  " ROLLBACK",
  "begin",
  "savepoint x",
  "release x",
  "pragma synchronous = OFF",
  "vacuum",
  "attach ':memory:' as x",
])("a transaction cannot yield %j", (text) => {
  using fixture = makeGroupFixture();
  function* cheat(): Transaction<void> {
    yield* addNote("a", "first");
    yield sql.raw(text).compile(notes);
  }
  expect(() => runTransaction(fixture.db, cheat())).toThrow(/must not yield/);
  expect(readNotes(fixture.path)).toEqual({});
});

test("all selects of one reading see one snapshot", () => {
  using fixture = makeGroupFixture();
  runTransaction(fixture.db, addNote("a", "before"));
  function* readTwice(): Reading<[number, number]> {
    const first = yield* query(notes.selectFrom("notes").selectAll());
    runTransaction(fixture.db, addNote("b", "meanwhile"));
    const second = yield* query(notes.selectFrom("notes").selectAll());
    return [first.length, second.length];
  }
  const reader = openReader(fixture.path);
  expect(reader.read(readTwice())).toEqual([1, 1]);
  expect(Object.keys(reader.read(readBodies()))).toEqual(["a", "b"]);
  reader.close();
});

test("a reading that throws releases its snapshot", () => {
  using fixture = makeGroupFixture();
  const reader = openReader(fixture.path);
  expect(() => reader.read(failInReading())).toThrow("a mistake in a query");
  runTransaction(fixture.db, addNote("a", "later"));
  expect(reader.read(readBodies())).toEqual({ a: "later" });
  reader.close();
});

test("a reader refuses a write that got past the compiler", () => {
  using fixture = makeGroupFixture();
  const db = openDatabase(fixture.path, "reader");
  expect(() => runTransaction(db, addNote("a", "x"))).toThrow(/readonly/);
  db.close();
  expect(readNotes(fixture.path)).toEqual({});
});

test("queries with more list lengths than the statement cache holds still work", () => {
  using fixture = makeGroupFixture();
  for (let count = 1; count <= 520; count++) expect(runTransaction(fixture.db, findAny(count))).toBe(0);
  runTransaction(fixture.db, addNote("n0", "x"));
  expect(runTransaction(fixture.db, findAny(1))).toBe(1);
});

test("no number of other statements displaces the kit's own, nor one that is used all the time", () => {
  using fixture = makeGroupFixture();
  const begin = prepareStatement(fixture.db, "begin immediate");
  for (let count = 1; count <= 520; count++) runTransaction(fixture.db, findAny(count));
  expect(prepareStatement(fixture.db, "begin immediate")).toBe(begin);
  const prepare = vi.spyOn(fixture.db, "prepare");
  for (let count = 521; count <= 1_040; count++) {
    runTransaction(fixture.db, findAny(count));
    runTransaction(fixture.db, findAny(1));
  }
  expect(prepare.mock.calls.filter(([text]) => text.endsWith("in (?)")).length).toBeLessThanOrEqual(1);
  expect(prepare).toHaveBeenCalledTimes(520 + 1);
});

test("a reading of one statement begins no transaction, and one that asks for more is refused", () => {
  using fixture = makeGroupFixture();
  runTransaction(fixture.db, addNote("a", "x"));
  const reader = openReader(fixture.path);
  const statement = notes.selectFrom("notes").selectAll();
  function* readAlone(more: boolean): Reading<number> {
    const first = yield* queryAlone(statement);
    return more ? (yield* query(statement)).length : first.length;
  }
  const begin = vi.spyOn(Database.prototype, "prepare");
  expect(reader.read(readAlone(false))).toBe(1);
  expect(begin.mock.calls.map(([text]) => text)).toEqual(['select * from "notes"']);
  begin.mockRestore();
  expect(() => reader.read(readAlone(true))).toThrow(/queryAlone .* asked for more/);
  // Inside a transaction there is nothing to spare.
  function* readWithin(): Reading<number> {
    yield* query(statement);
    return yield* readAlone(true);
  }
  expect(reader.read(readWithin())).toBe(1);
  reader.close();
});

test("a statement that runs alone throws inside its reading, which may go on", () => {
  using fixture = makeGroupFixture();
  expect(runTransaction(fixture.db, readOrSay())).toMatch(/no_such_function/);
});

test("misuse does not compile", () => {
  expectTypeOf(addNote).returns.not.toExtend<Reading<void>>();
  expectTypeOf(findNote).returns.toExtend<Transaction<unknown>>();
  expectTypeOf<Parameters<Reader["read"]>[0]>().toEqualTypeOf<Reading<unknown>>();
  expectTypeOf(writeAsReading).toBeFunction();
  expectTypeOf(writeAlone).toBeFunction();
  expectTypeOf(selectUnknownColumn).toBeFunction();
});

function* addNote(id: string, body: string): Transaction<void> {
  yield* query(notes.insertInto("notes").values({ id, body }));
}

function* findNote(id: string): Reading<{ id: string; body: string }[]> {
  return yield* query(notes.selectFrom("notes").selectAll().where("id", "=", id));
}

function* addTwice(): Transaction<void> {
  yield* addNote("a", "first");
  yield* addNote("a", "again");
}

function* addOrSay(): Transaction<string> {
  yield* addNote("a", "first");
  try {
    yield* addNote("a", "again");
    return "added";
  } catch (error) {
    return error instanceof Error ? error.message : "no error";
  }
}

function* readOrSay(): Reading<string> {
  try {
    const impossible = sql<boolean>`no_such_function(1)`;
    yield* queryAlone(notes.selectFrom("traps").selectAll().where(impossible));
    return "read";
  } catch (error) {
    return error instanceof Error ? error.message : "no error";
  }
}

function* failInReading(): Reading<void> {
  yield* query(notes.selectFrom("notes").selectAll());
  throw new Error("a mistake in a query");
}

function* findAny(count: number): Reading<number> {
  const ids = Array.from({ length: count }, (_, index) => `n${index}`);
  const rows = yield* query(notes.selectFrom("notes").selectAll().where("id", "in", ids));
  return rows.length;
}

function* writeAsReading(): Reading<void> {
  // @ts-expect-error an insert makes no Reading
  yield* query(notes.insertInto("notes").values({ id: "a", body: "x" }));
}

function* writeAlone(): Reading<void> {
  // @ts-expect-error an insert needs a transaction
  yield* queryAlone(notes.insertInto("notes").values({ id: "a", body: "x" }));
}

function* selectUnknownColumn(): Reading<void> {
  // @ts-expect-error the table has no such column
  yield* query(notes.selectFrom("notes").select("title"));
}
