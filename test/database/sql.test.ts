import { expect, expectTypeOf, test } from "vitest";

import { compileOnce } from "../../app/database/sql.ts";
import { query, type Reading, runTransaction } from "../../app/database/transaction.ts";
import { makeGroupFixture } from "./notes-database.ts";
import { notes } from "./notes.ts";

test("a limit stands in the text, because SQLite prepares a statement anew for each value of a parameter there", () => {
  const { sql, parameters } = notes.selectFrom("notes").selectAll().where("id", ">", "a").limit(51).compile();
  expect(sql).toBe('select * from "notes" where "id" > ? limit 51');
  expect(parameters).toEqual(["a"]);
});

test("a statement that is compiled once takes new values each time, and keeps its constants", () => {
  let builds = 0;
  const find = compileOnce((body: string, id: string) => {
    builds++;
    return notes.selectFrom("notes").selectAll().where("id", "=", id).where("body", "!=", "b").where("body", "=", body);
  });
  expect(find("x", "1").compile().parameters).toEqual(["1", "b", "x"]);
  expect(find("y", "2").compile()).toMatchObject({
    sql: 'select * from "notes" where "id" = ? and "body" != ? and "body" = ?',
    parameters: ["2", "b", "y"],
  });
  expect(builds).toBe(1);
  expectTypeOf(readNote).returns.toExtend<Reading<unknown>>();
});

test("its rows have their type, and it writes where it is built to write", () => {
  using fixture = makeGroupFixture();
  const insert = compileOnce((id: string, body: string) => notes.insertInto("notes").values({ id, body }));
  for (const id of ["a", "b"]) runTransaction(fixture.db, query(insert(id, `body of ${id}`)));
  expect(runTransaction(fixture.db, readNote("b"))).toBe("body of b");
});

test.each([
  { what: "left out", build: (id: string, _body: string) => notes.selectFrom("notes").where("id", "=", id) },
  { what: "looked at", build: (id: string, body: string) => findWhere(id, body === "x" ? "y" : "z") },
  { what: "changed", build: (id: string, body: string) => findWhere(id, `${body}%`) },
])("a parameter that is $what is refused at the first use", ({ build }) => {
  expect(() => compileOnce(build)("a", "x").compile()).toThrow(/parameter 2|convert a Symbol/);
});

const byId = compileOnce((id: string) => notes.selectFrom("notes").selectAll().where("id", "=", id));

function* readNote(id: string): Reading<string | undefined> {
  const [row] = yield* query(byId(id));
  return row?.body;
}

function findWhere(id: string, body: string) {
  return notes.selectFrom("notes").where("id", "=", id).where("body", "=", body);
}
