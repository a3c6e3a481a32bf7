import type { Area, BenchRun } from "../bench-run.ts";
import type { Variant } from "../report/rounds.ts";
import { startAppServer } from "../servers/app-server.ts";
import type { Asking, MeasuredServer } from "../servers/measured-server.ts";
import { startPocketbase } from "../servers/pocketbase.ts";
import { startHello } from "../servers/start-hello.ts";

/** Latency at fixed rates, counted from the moment when a request was due. */
export const latency: Area = {
  name: "latency",
  about: "latency at fixed rates, whether or not the server keeps up",
  roomBytes: ({ rounds, roundMs }) => 200e6 + rounds * roundMs * 40e3,
  measure: measureLatency,
};

const connections = 64;
const commit = { question: "create", createHeaders: { durability: "commit" } } as const;
const disk = { question: "create", createHeaders: { durability: "disk" } } as const;
const one = { question: "one" } as const;

async function measureLatency(bench: BenchRun): Promise<void> {
  await using made = new AsyncDisposableStack();
  const { app } = made.use(await startAppServer(bench.site, await bench.site.openBucket()));
  const hello = made.use(await startHello(bench.site));
  const pocketbase = made.use(await bench.startPeer("PocketBase's latency", () => startPocketbase(bench.site)));
  const ask = (name: string, server: MeasuredServer, asking: Omit<Asking, "roundMs">, isPeer = false): Variant => ({
    name: `${name}, ${asking.perSecond?.toLocaleString("en")} a second`,
    isPeer,
    measure: () => bench.ask(server, { ...asking, connections }),
  });
  const slow = { perSecond: 500 };
  const fast = { perSecond: 5_000 };
  const peers =
    pocketbase === null
      ? []
      : [
          ask("PocketBase: GET one", pocketbase, { ...one, ...slow }, true),
          ask("PocketBase: create", pocketbase, { question: "create", ...slow }, true),
        ];
  await bench.compare({
    id: "latency",
    title: "Latency at fixed rates, Litestream beside",
    about: `An open loop over ${connections} connections. A request that waits for a free connection waits for the server, so nothing is left out when it stands still. The sender looks at its clock once a millisecond: its own part is told beside. A rate above what the server can do makes a queue that grows for the whole round.`,
    metric: "p99Ms",
    rounds: bench.sideRounds,
    variants: [
      ask("Fastify hello world", hello, { ...one, ...fast }, true),
      ask("GET one", app, { ...one, ...slow }),
      ask("GET one", app, { ...one, ...fast }),
      ask("create at commit", app, { ...commit, ...slow }),
      ask("create at commit", app, { ...commit, ...fast }),
      ask("create at disk", app, { ...disk, ...slow }),
      ...peers,
    ],
  });
}
