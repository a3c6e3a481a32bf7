import { isMainThread } from "node:worker_threads";

import { becomeExpendable, watchProcess } from "./database/expendable-process.ts";
import { openDatabase } from "./database/open-database.ts";
import { NotARead, readByHand } from "./database/read-by-hand.ts";
import type { SqlAnswer, SqlOrder } from "./verbs/sql-process.ts";

// The process in which `lifeboat sql` reads. SQLite cannot be told to stop, so this is what Ctrl-C and the limits kill.
const memoryBytes = 512 * 1024 * 1024;

if (isMainThread) serve(process.argv[2] ?? "");
else watchProcess();

function serve(path: string): void {
  becomeExpendable(import.meta.url, memoryBytes);
  const db = openDatabase(path, "reader");
  process.on("message", ({ text, mostRows }: SqlOrder) => {
    process.send?.(answer(text, mostRows));
  });
  process.send?.({ kind: "ready" } satisfies SqlAnswer);

  function answer(text: string, mostRows: number): SqlAnswer {
    try {
      return { kind: "done", table: readByHand(db, text, mostRows) };
    } catch (error) {
      const cause = error instanceof Error ? error.message : String(error);
      return { kind: error instanceof NotARead ? "refused" : "failed", cause };
    }
  }
}
