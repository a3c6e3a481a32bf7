import { expect, test } from "vitest";

import { type Command, defineCommand, indexCommands } from "../../app/database/command.ts";
import { commitGroup } from "../../app/database/group-commit.ts";
import { noteJobRun, readJobRuns } from "../../app/database/job-runs.ts";
import { applyMigrations } from "../../app/database/migrate.ts";
import { countFailure, forgetPerformed, sendAgain } from "../../app/database/outbox-commands.ts";
import {
  defineHandler,
  listDeadLetters,
  readOutboxState,
  readTried,
  readUntried,
  readWaiting,
} from "../../app/database/outbox.ts";
import { runTransaction, type Transaction } from "../../app/database/transaction.ts";
import { CommandRejected } from "../../app/database/write-outcome.ts";
import type { WriteRequest } from "../../app/database/writer-messages.ts";
import { makeGroupFixture } from "./notes-database.ts";

type Order = { to: string; reject?: boolean };

const mail = defineHandler<{ to: string }>("mail", () => Promise.resolve());
const stranger = defineHandler<{ to: string }>("stranger", () => Promise.resolve());
const order = defineCommand("order", function* ({ to, reject }: Order, { send }): Transaction<string> {
  const id = yield* send(mail, { to });
  if (reject === true) throw new CommandRejected("conflict", 409, "no");
  return id;
});
const misdirect = defineCommand("misdirect", function* (to: string, { send }): Transaction<string> {
  return yield* send(stranger, { to });
});
const commands: readonly Command[] = [order, misdirect, forgetPerformed, countFailure, sendAgain, noteJobRun];

test("a side effect is recorded with its command's commit, in order, and wakes whoever performs it", () => {
  using house = openHouse();
  house.commit({ command: "order", input: { to: "a" } }, { command: "order", input: { to: "b" } });
  expect(house.sends).toBe(2);
  expect(house.untried().map(({ payload }) => payload)).toEqual(['{"to":"a"}', '{"to":"b"}']);
});

test("a command that is rejected, and one that sends to nobody, leave no side effect", () => {
  using house = openHouse();
  const answers = house.commit(
    { command: "order", input: { to: "a", reject: true } },
    { command: "misdirect", input: "b" },
  );
  expect(answers).toMatchObject([
    { outcome: "rejected", code: "conflict" },
    { outcome: "failed", cause: 'no outbox handler "stranger"; add it to the product\'s outbox' },
  ]);
  expect(house.read(readOutboxState())).toEqual({ pending: [], deadLetters: 0 });
});

test("what was performed is forgotten; what failed waits, becomes a dead letter, and can be sent again", () => {
  using house = openHouse();
  house.commit({ command: "order", input: { to: "a" } }, { command: "order", input: { to: "b" } });
  const [first, second] = house.untried().map(({ id }) => id);
  house.commit({ command: forgetPerformed.name, input: { id: first } });
  house.commit({ command: countFailure.name, input: { id: second, cause: "503", isLast: false } });
  expect(house.untried()).toEqual([]);
  expect(house.read(readTried("mail", 10))).toEqual([second]);
  expect(house.read(readWaiting("mail", [first ?? "", second ?? ""]))).toMatchObject([{ id: second, attempts: 1 }]);
  house.commit({ command: countFailure.name, input: { id: second, cause: "504", isLast: true } });
  expect(house.read(readTried("mail", 10))).toEqual([]);
  expect(house.read(readOutboxState())).toEqual({ pending: [], deadLetters: 1 });
  expect(house.read(listDeadLetters({ limit: 10 }))).toMatchObject([
    { id: second, handler: "mail", payload: { to: "b" }, attempts: 2, lastError: "504" },
  ]);
  const sendsBefore = house.sends;
  house.commit({ command: sendAgain.name, input: { id: second } });
  expect(house.sends).toBe(sendsBefore + 1);
  expect(house.untried()).toMatchObject([{ id: second, attempts: 0 }]);
  const [again] = house.commit({ command: sendAgain.name, input: { id: second } });
  expect(again).toMatchObject({ outcome: "rejected", code: "not-found" });
});

test("the newest run of a job is kept, as it was noted last", () => {
  using house = openHouse();
  const times = { noted_at: 1, schedule: "0 3 * * *", since: 1 };
  const run = { name: "nightly", due_at: 1, outcome: "known", cause: null, missed: 2, ...times } as const;
  const next = { ...run, due_at: 5, outcome: "failed", cause: "x", missed: 3 } as const;
  for (const input of [run, next]) house.commit({ command: noteJobRun.name, input });
  expect(house.read(readJobRuns())).toEqual([next]);
});

test("a database of an older release gets the tables, and keeps what it has", () => {
  using fixture = makeGroupFixture();
  fixture.commit({ input: { id: "old", body: "kept" } });
  fixture.db.exec("drop table _outbox; drop table _jobs");
  applyMigrations(fixture.db, []);
  expect(runTransaction(fixture.db, readOutboxState())).toEqual({ pending: [], deadLetters: 0 });
  expect(runTransaction(fixture.db, readJobRuns())).toEqual([]);
  expect(fixture.db.prepare("select body from notes").pluck().all()).toEqual(["kept"]);
});

test("a table of jobs of an older release gets what it lacks, and its rows stay", () => {
  using fixture = makeGroupFixture();
  for (const column of ["schedule", "since"]) fixture.db.exec(`alter table _jobs drop column ${column}`);
  fixture.db.exec("insert into _jobs values ('nightly', 1, 'done', null, 2, 0)");
  applyMigrations(fixture.db, []);
  applyMigrations(fixture.db, []);
  const old = { name: "nightly", due_at: 1, outcome: "done", cause: null, noted_at: 2, missed: 0 };
  expect(runTransaction(fixture.db, readJobRuns())).toEqual([{ ...old, schedule: null, since: null }]);
});

function openHouse() {
  const fixture = makeGroupFixture();
  let sends = 0;
  const outbox = { handlers: new Set(["mail"]), onSend: () => void (sends += 1) };
  const engine = { ...fixture.engine, commands: indexCommands(commands), outbox };
  const read = <Result>(transaction: Transaction<Result>): Result => runTransaction(fixture.db, transaction);
  return {
    get sends() {
      return sends;
    },
    read,
    untried: () => read(readUntried("mail", 10)),
    commit: (...requests: Pick<WriteRequest, "command" | "input">[]) =>
      commitGroup(
        engine,
        requests.map(({ command, input }, index) => ({ id: index + 1, durability: "commit", command, input })),
      ),
    [Symbol.dispose]: () => fixture[Symbol.dispose](),
  };
}
