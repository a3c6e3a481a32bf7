import type { Logger } from "pino";

import { prepareEdge } from "./edge/prepare.ts";
import { type EdgeSettings, readEdgeSettings } from "./edge/settings.ts";
import { EdgeWatch } from "./edge/watch.ts";
import { exitCodes } from "./exit-codes.ts";
import { runProcess } from "./run-process.ts";

// `edge.mjs prepare` runs before Caddy starts, `edge.mjs watch` beside it. `edge.mjs check` only reads the settings.
const [verb = ""] = process.argv.slice(2);
const verbs: Record<string, (settings: EdgeSettings, log: Logger) => Promise<number>> = { check, prepare, watch };

await runProcess(readEdgeSettings, async (settings, log) => {
  const run = verbs[verb];
  if (run !== undefined) return run(settings, log);
  log.error({ verb }, "there is no such verb of the edge; it is check, prepare or watch");
  return exitCodes.config;
});

async function check(): Promise<number> {
  return 0;
}

async function prepare(settings: EdgeSettings, log: Logger): Promise<number> {
  await prepareEdge(settings, log);
  return 0;
}

async function watch(settings: EdgeSettings, log: Logger): Promise<number> {
  const stop = new AbortController();
  process.once("SIGTERM", () => stop.abort());
  await new EdgeWatch(settings, log).run(stop.signal);
  return 0;
}
