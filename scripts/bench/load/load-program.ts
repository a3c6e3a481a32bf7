import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

import type { Figures } from "../report/report.ts";
import { latenciesOf } from "../report/rounds.ts";
import { quantilesOf } from "../report/statistics.ts";
import type { Load } from "./load.ts";
import { RawConnection } from "./raw-connection.ts";
import { makeRequests } from "./raw-requests.ts";

/** A process of its own that sends a load and prints what it saw: the file named on its command line describes it. */
const [, , path = ""] = process.argv;
// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- run-load.ts has just written it
const load = JSON.parse(readFileSync(path, "utf8")) as Load;
const connections = await Promise.all(Array.from({ length: load.connections }, () => RawConnection.open(load.port)));
const nextRequest = makeRequests(load);
const tookMs: number[] = [];
const refusals = new Map<string, number>();

const startMs = performance.now();
const late = load.perSecond === null ? await askInTurn() : await askOnTime(load.perSecond);
const seconds = (performance.now() - startMs) / 1000;
for (const connection of connections) connection.end();
// Without a single answer there are only refusals to tell of.
const figures: Figures =
  tookMs.length === 0 ? {} : { perSecond: tookMs.length / seconds, ...latenciesOf(tookMs), ...late };
console.log(JSON.stringify({ figures, requests: tookMs.length, refusals: [...refusals] }));

/** Each connection asks, waits for its answers, and asks again. */
async function askInTurn(): Promise<Figures> {
  const endMs = startMs + load.durationMs;
  await Promise.all(
    connections.map(async (connection) => {
      for (let sentMs = performance.now(); sentMs < endMs; sentMs = performance.now()) {
        const asked = Array.from({ length: load.pipelining }, () => ask(connection, sentMs));
        await Promise.all(asked);
      }
    }),
  );
  return {};
}

/**
 * Sends at a fixed rate, whether or not the requests before were answered, as many users do, and counts the time of
 * each from the moment when it was due: one that waits for a free connection waits for the server. `lateMs` is the part
 * of it that is this generator's own: how late it was when a connection was free.
 */
async function askOnTime(perSecond: number): Promise<Figures> {
  const everyMs = 1000 / perSecond;
  const total = Math.round((load.durationMs / 1000) * perSecond);
  const idle = [...connections];
  const due: number[] = [];
  const lateMs: number[] = [];
  const pending: Promise<void>[] = [];
  const sendDue = (isOnTime: boolean) => {
    while (due.length > 0) {
      const connection = idle.pop();
      if (connection === undefined) return;
      const dueMs = due.shift() ?? 0;
      if (isOnTime) lateMs.push(performance.now() - dueMs);
      pending.push(askAndGoOn(connection, dueMs));
    }
  };
  const askAndGoOn = async (connection: RawConnection, dueMs: number) => {
    await ask(connection, dueMs);
    idle.push(connection);
    sendDue(false);
  };
  for (let count = 0; count < total;) {
    for (const nowMs = performance.now(); count < total && startMs + count * everyMs <= nowMs; count += 1)
      due.push(startMs + count * everyMs);
    sendDue(true);
    await sleep(Math.max(1, startMs + count * everyMs - performance.now()));
  }
  while (due.length > 0) await sleep(1);
  await Promise.all(pending);
  return { worstMs: quantilesOf(tookMs)(1), lateMs: quantilesOf(lateMs)(0.99) };
}

async function ask(connection: RawConnection, sinceMs: number): Promise<void> {
  const status = await connection.ask(nextRequest());
  if (status < (load.isStrict ? 202 : 300)) tookMs.push(performance.now() - sinceMs);
  else refusals.set(`answered ${status}`, (refusals.get(`answered ${status}`) ?? 0) + 1);
}
