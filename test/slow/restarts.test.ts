import { tmpdir } from "node:os";

import { expect, test } from "vitest";

import type { RequestKind } from "../../scripts/bench/load/restart-load.ts";
import { measureRestarts, type RestartFigures } from "../../scripts/bench/rows/restarts.ts";
import { BenchSite } from "../../scripts/bench/servers/bench-site.ts";

const plan = { perSecond: 100, pauseMs: 1_000, isBehindEdge: true };
// A POST without a key is lost when its connection breaks under it, which a stop can do, too.
const repeatable = ["GET", "keyed POST"] as const;

test("behind Caddy neither two deploys nor two kills refuse a request that may be repeated", async () => {
  await using bench = new BenchSite(tmpdir());
  const site = await bench.openBucket();
  const deployed = await measureRestarts(site, { ...plan, restarts: ["deploy", "deploy"] });
  expect(deployed.wrongWrites).toBe(0);
  for (const kind of repeatable) expectNoFailure(deployed, kind);

  const killed = await measureRestarts(site, { ...plan, restarts: ["kill", "kill"] });
  expect(killed.wrongWrites).toBe(0);
  for (const kind of repeatable) expectNoFailure(killed, kind);
});

function expectNoFailure({ kinds }: RestartFigures, kind: RequestKind): void {
  const figures = kinds.get(kind);
  expect(figures?.sent).toBeGreaterThan(50);
  expect({ kind, failures: [...(figures?.failures ?? [])] }).toEqual({ kind, failures: [] });
}
