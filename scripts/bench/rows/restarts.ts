import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";

import type { Write } from "../../drill/author.ts";
import { readFacts } from "../../drill/facts.ts";
import { Machine, type Site } from "../../drill/machine.ts";
import { startEdge } from "../../local/edge.ts";
import type { Area, BenchRun } from "../bench-run.ts";
import { type RequestKind, requestKinds, RestartLoad, type Sent } from "../load/restart-load.ts";

/** Requests while the app restarts, behind Caddy and without it (ADR 38). */
export const restarts: Area = {
  name: "restarts",
  about: "requests while the app restarts, behind Caddy and without it",
  onlyNamed: "four minutes",
  roomBytes: () => 500e6,
  measure: compareRestarts,
};

async function compareRestarts(bench: BenchRun): Promise<void> {
  const site = await bench.site.openBucket();
  const all = Array.from({ length: 20 }, (_, count) => (count < 10 ? ("deploy" as const) : ("kill" as const)));
  for (const isBehindEdge of [true, false]) {
    const figures = await measureRestarts(site, { restarts: all, perSecond: 200, pauseMs: 2_000, isBehindEdge });
    bench.add({
      id: isBehindEdge ? "restarts-behind-caddy" : "restarts-straight",
      title: `10 deploys and 10 kills, ${isBehindEdge ? "behind Caddy" : "straight to the app"}`,
      about: "An open loop of 200 requests a second. One run.",
      metric: "worstMs",
      baseline: null,
      rows: [],
      text: renderRestarts(figures),
    });
  }
}

/** `deploy`: everything stops cleanly and boots again. `kill`: the app is killed with SIGKILL and started again. */
export type Restart = "deploy" | "kill";
export type RestartPlan = Readonly<{
  restarts: readonly Restart[];
  /** Requests a second: half of them GET, a quarter each POST with an Idempotency-Key and without. */
  perSecond: number;
  /** Between two restarts, from the moment when the machine is ready. */
  pauseMs: number;
  isBehindEdge: boolean;
}>;

export type KindFigures = Readonly<{ sent: number; failures: ReadonlyMap<string, number>; longestMs: number }>;
export type RestartFigures = Readonly<{
  kinds: ReadonlyMap<RequestKind, KindFigures>;
  /** Acknowledged writes that the database does not have once. */
  wrongWrites: number;
}>;

const readyLimitMs = 60_000;

/** Restarts a machine again and again under an open loop of requests, which go through Caddy or straight to the app. */
export async function measureRestarts(site: Site, plan: RestartPlan): Promise<RestartFigures> {
  await using machine = await Machine.switchOn(randomBytes(3).toString("hex"), site);
  await machine.waitUntilReady(readyLimitMs);
  const { target } = machine;
  await using edge = plan.isBehindEdge ? await startEdge({ ...site, appPort: target.port }) : null;
  const load = new RestartLoad({ ...target, port: edge?.port ?? target.port }, plan.perSecond);
  for (const restart of plan.restarts) {
    await sleep(plan.pauseMs);
    if (restart === "deploy") await machine.supervisor.restart(null);
    else machine.supervisor.killUnit("app");
    await machine.waitUntilReady(readyLimitMs);
  }
  await sleep(plan.pauseMs);
  const sent = await load.stop();
  const wrongWrites = countWrong(load.acknowledged, machine.databasePath);
  return { kinds: new Map(requestKinds.map((kind) => [kind, summarise(sent, kind)])), wrongWrites };
}

function countWrong(acknowledged: readonly Write[], databasePath: string): number {
  const found = new Map<string, number>();
  for (const { kind, key } of readFacts(databasePath)) {
    const name = `${kind} ${key}`;
    found.set(name, (found.get(name) ?? 0) + 1);
  }
  return acknowledged.filter(({ fact: { kind, key } }) => found.get(`${kind} ${key}`) !== 1).length;
}

function summarise(sent: readonly Sent[], kind: RequestKind): KindFigures {
  const own = sent.filter((one) => one.kind === kind);
  const failures = new Map<string, number>();
  for (const { failure } of own) if (failure !== null) failures.set(failure, (failures.get(failure) ?? 0) + 1);
  return { sent: own.length, failures, longestMs: Math.max(0, ...own.map(({ tookMs }) => tookMs)) };
}

/** The figures as a table, with the causes of failures. */
function renderRestarts({ kinds, wrongWrites }: RestartFigures): string {
  const rows = [...kinds].map(([kind, { sent, failures, longestMs }]) => {
    const failed = [...failures.values()].reduce((sum, count) => sum + count, 0);
    const causes = [...failures].map(([cause, count]) => `${count} ${cause}`).join(", ");
    const figures = [String(sent), String(failed), Math.round(longestMs).toString()];
    return `${kind.padEnd(12)}${figures.map((figure) => figure.padStart(12)).join("")}   ${causes}`.trimEnd();
  });
  const head = "REQUEST".padEnd(12) + ["SENT", "FAILED", "LONGEST MS"].map((name) => name.padStart(12)).join("");
  return [head, ...rows, `acknowledged writes that are not there once: ${wrongWrites}`].join("\n");
}
