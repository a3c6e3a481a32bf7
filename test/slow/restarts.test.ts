import { tmpdir } from "node:os";

import { expect, test } from "vitest";

import { measureRestarts, openRestartSite, type RestartFigures } from "../../scripts/bench/measure-restarts.ts";
import type { RequestKind } from "../../scripts/bench/open-loop.ts";

const plan = { perSecond: 100, pauseMs: 1_000, isBehindEdge: true };

test("behind Caddy two deploys refuse nobody, and two kills nobody whose request may be repeated", async () => {
  await using site = await openRestartSite(tmpdir());
  const deployed = await measureRestarts(site, { ...plan, restarts: ["deploy", "deploy"] });
  expect(deployed.wrongWrites).toBe(0);
  for (const kind of ["GET", "keyed POST", "POST"] as const) expectNoFailure(deployed, kind);

  const killed = await measureRestarts(site, { ...plan, restarts: ["kill", "kill"] });
  expect(killed.wrongWrites).toBe(0);
  for (const kind of ["GET", "keyed POST"] as const) expectNoFailure(killed, kind);
});

function expectNoFailure({ kinds }: RestartFigures, kind: RequestKind): void {
  const figures = kinds.get(kind);
  expect(figures?.sent).toBeGreaterThan(50);
  expect({ kind, failures: [...(figures?.failures ?? [])] }).toEqual({ kind, failures: [] });
}
