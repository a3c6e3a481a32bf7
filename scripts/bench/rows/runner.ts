import { join } from "node:path";

import { openDatabase } from "../../../app/database/open-database.ts";
import { sqlBuilder } from "../../../app/database/sql.ts";
import { query, runTransaction, type Transaction } from "../../../app/database/transaction.ts";
import { type Variant, measureLoop } from "../report/rounds.ts";

type Counter = { id: number; hits: number };
const tables = sqlBuilder<{ counters: Counter }>();
const counterCount = 1000;

/** One transaction of a read and an update: yielded by a generator, compared with the same two statements by hand. */
export function listRunnerVariants(directory: string, roundMs: number): Variant[] & Disposable {
  const db = openDatabase(join(directory, "runner.db"), "writer");
  db.exec("create table counters (id integer primary key, hits integer not null) strict");
  const insert = db.prepare("insert into counters (id, hits) values (?, 0)");
  for (let id = 0; id < counterCount; id++) insert.run(id);
  const read = db.prepare<[number], Counter>("select id, hits from counters where id = ?");
  const update = db.prepare("update counters set hits = ? where id = ?");
  const hitByHand = db.transaction((id: number) => update.run((read.get(id)?.hits ?? 0) + 1, id));
  const variants: Variant[] = [
    {
      name: "prepared by hand",
      measure: () => measureLoop(roundMs, (count) => hitByHand.immediate(count % counterCount)),
    },
    {
      name: "generator, Kysely",
      measure: () => measureLoop(roundMs, (count) => runTransaction(db, hitCounter(count % counterCount))),
    },
  ];
  return Object.assign(variants, { [Symbol.dispose]: () => void db.close() });
}

function* hitCounter(id: number): Transaction<void> {
  const [counter] = yield* query(tables.selectFrom("counters").selectAll().where("id", "=", id));
  const hits = (counter?.hits ?? 0) + 1;
  yield* query(tables.updateTable("counters").set({ hits }).where("id", "=", id));
}
