import { Type } from "typebox";
import { Value } from "typebox/value";

import type { Site } from "../../drill/machine.ts";
import { startEdge } from "../../local/edge.ts";
import type { BenchSite } from "./bench-site.ts";
import { type MeasuredServer, seedCustomers } from "./measured-server.ts";

/** The app of this repository on a machine of its own, with Litestream beside it. Disposing is kill -9 and the loss of its disk. */
export type AppServer = AsyncDisposable & Readonly<{ app: MeasuredServer }>;

/** What was asked for cannot be measured with this app or on this computer; the rest of the bench can. */
export class NotMeasurable extends Error {}

const Created = Type.Object({ id: Type.String() });
const path = "/customers";

/** Starts the app with customers in it. Every request of it carries the token and is logged. */
export async function startAppServer(site: BenchSite, machineSite: Site): Promise<AppServer> {
  const machine = await site.startMachine(machineSite);
  try {
    const { port, token } = machine.target;
    const asked = { port, headers: { authorization: `Bearer ${token}` }, createPath: path };
    await requireCustomers(asked);
    const ids = await seedCustomers(asked, (answer) => Value.Parse(Created, answer).id);
    const app = {
      ...asked,
      pid: machine.supervisor.pidOf("app"),
      onePaths: ids.map((id) => `${path}/${id}`),
      listPath: `${path}?limit=20`,
    };
    const lose = async () => {
      await machine[Symbol.asyncDispose]();
      await machine.destroyDisks();
    };
    return { app, [Symbol.asyncDispose]: lose };
  } catch (error) {
    await machine[Symbol.asyncDispose]();
    throw error;
  }
}

async function requireCustomers({ port, headers }: Pick<MeasuredServer, "port" | "headers">): Promise<void> {
  const { status } = await fetch(`http://127.0.0.1:${port}${path}?limit=1`, { headers });
  if (status === 404) throw new NotMeasurable(`this app has no ${path}, which the example has`);
}

/** The same server behind Caddy, as on a real machine but by plain HTTP; the time counted is Caddy's own. */
export async function startBehindCaddy(
  site: BenchSite,
  server: MeasuredServer,
): Promise<MeasuredServer & AsyncDisposable> {
  const { directory, leftovers } = site;
  const edge = await startEdge({ appPort: server.port, directory, leftovers });
  return { ...server, port: edge.port, pid: edge.pid, [Symbol.asyncDispose]: () => edge[Symbol.asyncDispose]() };
}
