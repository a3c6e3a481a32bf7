import { parentPort, workerData } from "node:worker_threads";

import { openDatabase } from "../../../app/database/open-database.ts";
import { openReader } from "../../../app/database/reader.ts";
import { nameDocument, readDocument } from "../../../app/load/documents.ts";
import { measureLoop } from "../report/rounds.ts";
import type { ThreadOrder } from "./in-process.ts";

/** A thread that reads for one round, once it is told to, so that all begin together. */
// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- in-process.ts sends nothing else
const { path, way, rowCount, roundMs } = workerData as ThreadOrder;
const read = way === "the app's reader" ? readByReader() : readByHand();
// The first reads compile statements and code.
for (let count = 0; count < 1_000; count++) read(nameDocument(count, rowCount));
parentPort?.once("message", () => {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
  parentPort?.postMessage(measureLoop(roundMs, (count) => read(nameDocument(count, rowCount))));
});
// oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
parentPort?.postMessage("ready");

function readByHand(): (id: string) => unknown {
  const statement = openDatabase(path, "reader").prepare("select id, body from documents where id = ?");
  return (id) => statement.get(id);
}

function readByReader(): (id: string) => unknown {
  const reader = openReader(path);
  return (id) => reader.read(readDocument(id));
}
