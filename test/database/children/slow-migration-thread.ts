import { sql } from "kysely";

import { serveWriter } from "../../../app/database/serve-writer.ts";
import type { Transaction } from "../../../app/database/transaction.ts";
import { notes } from "../notes.ts";

serveWriter({ commands: [], migrations: [{ number: 1, name: "slow", up: fillTable }] });

/** More than the page cache holds, so that the WAL grows before COMMIT. */
function* fillTable(): Transaction<void> {
  yield sql.raw("create table filling (body blob)").compile(notes);
  const rows = "with recursive n (i) as (select 1 union all select i + 1 from n where i < 40)";
  for (let turn = 0; turn < 60; turn++) {
    yield sql.raw(`insert into filling ${rows} select randomblob(50000) from n`).compile(notes);
  }
}
