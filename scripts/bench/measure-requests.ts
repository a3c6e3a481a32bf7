import { HttpClient } from "../drill/http-client.ts";
import type { Target } from "../drill/http-client.ts";
import { Machine, type Site } from "../drill/machine.ts";
import { startEdge } from "../local/edge.ts";
import { type Figures, takeQuantile, type Variant } from "./interleave.ts";

const readyLimitMs = 60_000;
const clients = 8;
// Reads the database, and every product has it.
const path = "/effects/dead-letters";

/** Ways to one app, to be compared: straight to it, and through Caddy by plain HTTP. */
export async function listRequestVariants(
  site: Site,
  roundMs: number,
): Promise<AsyncDisposable & { variants: readonly Variant[] }> {
  await using made = new AsyncDisposableStack();
  const machine = made.use(await Machine.switchOn("requests", site));
  await machine.waitUntilReady(readyLimitMs);
  const { target } = machine;
  const edge = made.use(await startEdge({ ...site, appPort: target.port }));
  const all = made.move();
  const variants = [
    { name: "straight to the app", measure: () => measureRequests(target, roundMs) },
    { name: "through Caddy", measure: () => measureRequests({ ...target, port: edge.port }, roundMs) },
  ];
  return { variants, [Symbol.asyncDispose]: () => all.disposeAsync() };
}

/** Eight clients that each wait for their answer. Throws on an answer that is not 200. */
async function measureRequests(target: Target, roundMs: number): Promise<Figures> {
  const startMs = performance.now();
  const askUntilOver = async () => {
    using client = new HttpClient(target);
    const latencies: number[] = [];
    for (let nowMs = startMs; nowMs < startMs + roundMs; nowMs = performance.now()) {
      const { status } = await client.ask({ method: "GET", path });
      if (status !== 200) throw new Error(`${path} is answered ${status}`);
      latencies.push(performance.now() - nowMs);
    }
    return latencies;
  };
  const all = (await Promise.all(Array.from({ length: clients }, askUntilOver))).flat();
  const perSecond = (all.length / (performance.now() - startMs)) * 1000;
  return { perSecond, p50Ms: takeQuantile(all, 0.5), p99Ms: takeQuantile(all, 0.99) };
}
