import type { Area, BenchRun } from "../bench-run.ts";
import type { Variant } from "../report/rounds.ts";
import { startAppServer } from "../servers/app-server.ts";
import type { MeasuredServer } from "../servers/measured-server.ts";

/** Writes over HTTP by what they promise, with the store at several distances. */
export const durability: Area = {
  name: "durability",
  about: "creates over HTTP by durability, with the store 0, 20 and 80 ms away",
  roomBytes: ({ rounds, roundMs }) => 300e6 + rounds * roundMs * 30e3,
  measure: measureDurability,
};

const distances = [0, 20, 80];

async function measureDurability(bench: BenchRun): Promise<void> {
  await using made = new AsyncDisposableStack();
  const servers: [distanceMs: number, app: MeasuredServer][] = [];
  for (const distanceMs of distances) {
    const machine = made.use(await startAppServer(bench.site, await bench.site.openBucket(distanceMs)));
    servers.push([distanceMs, machine.app]);
  }
  const asked: readonly (readonly [level: string, connections: number])[] = bench.pace.isQuick
    ? [
        ["bucket", 1],
        ["bucket", 256],
      ]
    : [
        ["commit", 32],
        ["disk", 32],
        ["bucket", 1],
        ["bucket", 32],
        ["bucket", 256],
      ];
  const variants = asked.flatMap(([level, connections]) =>
    servers.map(([distanceMs, app]): Variant => {
      const clients = connections === 1 ? "1 client" : `${connections} clients`;
      const asking = { question: "create", createHeaders: { durability: level }, connections } as const;
      return {
        name: `${level}, ${clients}, store ${distanceMs} ms away`,
        measure: () => bench.ask(app, asking),
      };
    }),
  );
  await bench.compare({
    id: "durability",
    title: "Creates over HTTP, by durability and by the distance of the store",
    about:
      "A distance is a round trip, as a ping would show it. SeaweedFS on the same disk needs some milliseconds of its own for a PUT. Every `bucket` answer said that the bucket was reached.",
    variants,
    rounds: bench.sideRounds,
  });
}
