import { Type } from "typebox";
import { Value } from "typebox/value";

import type { Area, BenchRun } from "../bench-run.ts";
import type { Figures } from "../report/report.ts";
import type { Variant } from "../report/rounds.ts";
import { startAppServer } from "../servers/app-server.ts";
import { type Asking, type MeasuredServer, seedAtOnce } from "../servers/measured-server.ts";

/** What a report that runs all the time does to others. */
export const beside: Area = {
  name: "beside",
  about: "latency at a fixed rate while a report runs again and again",
  roomBytes: ({ rounds, roundMs }) => 200e6 + rounds * roundMs * 10e3,
  measure: measureBeside,
};

const reportPath = "/revenue";
const asked = { connections: 32, perSecond: 500 } as const;

async function measureBeside(bench: BenchRun): Promise<void> {
  await using server = await startAppServer(bench.site, await bench.site.openBucket());
  const { app } = server;
  const first = await ask(app, reportPath);
  if (first.status === 404) return bench.omit("a report beside", `this app has no ${reportPath}`);
  await first.arrayBuffer();
  await seedPaidInvoices(app, bench.pace.isQuick ? 2_000 : 10_000);
  const variants = (["one", "create"] as const).flatMap((question): Variant[] => {
    const asking = {
      ...asked,
      question,
      ...(question === "create" && { createHeaders: { durability: "commit" } }),
    };
    const name = question === "one" ? "GET one" : "create at commit";
    return [
      { name, measure: () => bench.ask(app, asking) },
      { name: `${name}, beside a report`, measure: () => measureWithReport(bench, app, asking) },
    ];
  });
  await bench.compare({
    id: "beside",
    title: `A report beside, ${asked.perSecond} requests a second`,
    about: `An open loop over ${asked.connections} connections. Beside it a client asks for ${reportPath} again as soon as it was answered.`,
    metric: "p99Ms",
    rounds: bench.sideRounds,
    variants,
  });
}

async function measureWithReport(
  bench: BenchRun,
  app: MeasuredServer,
  asking: Omit<Asking, "roundMs">,
): Promise<Figures> {
  const state = { isOver: false };
  const reporting = (async () => {
    while (!state.isOver) {
      const response = await ask(app, reportPath);
      if (!response.ok) throw new Error(`${reportPath} is answered ${response.status}: ${await response.text()}`);
      await response.arrayBuffer();
    }
  })();
  // What it throws is thrown below.
  reporting.catch(() => undefined);
  try {
    return await bench.ask(app, asking);
  } finally {
    state.isOver = true;
    await reporting;
  }
}

const Created = Type.Object({ id: Type.String() });

async function seedPaidInvoices(app: MeasuredServer, count: number): Promise<void> {
  const customerId = app.onePaths[0]?.split("/").at(-1);
  await seedAtOnce({ count, seeders: 32 }, async (index) => {
    const lines = [{ description: "an hour", quantity: 1, unitCents: 100 + (index % 900) }];
    const invoice = { customerId, reference: `bench-${index}`, currency: "EUR", lines };
    const made = await ask(app, "/invoices", invoice);
    const { id } = Value.Parse(Created, await made.json());
    const paid = await ask(app, `/invoices/${id}/payment`, {});
    if (!paid.ok) throw new Error(`an invoice could not be paid: ${paid.status} ${await paid.text()}`);
    await paid.arrayBuffer();
  });
}

function ask({ port, headers }: MeasuredServer, path: string, body?: unknown): Promise<Response> {
  const sent =
    body === undefined
      ? { headers }
      : {
          method: "POST",
          headers: { ...headers, "content-type": "application/json", durability: "commit" },
          body: JSON.stringify(body),
        };
  return fetch(`http://127.0.0.1:${port}${path}`, sent);
}
