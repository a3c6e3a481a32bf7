import type { Area, BenchRun } from "../bench-run.ts";
import type { Variant } from "../report/rounds.ts";
import { startAppServer, startBehindCaddy } from "../servers/app-server.ts";
import { type Asking, type MeasuredServer, usualConnections } from "../servers/measured-server.ts";
import { startPocketbase } from "../servers/pocketbase.ts";
import { startHello } from "../servers/start-hello.ts";

/** Requests over HTTP beside peers: the same questions, by the same generator, in the same rounds. */
export const http: Area = {
  name: "http",
  about: "requests over HTTP beside Fastify's hello world and PocketBase, by concurrency, pipelined, behind Caddy",
  roomBytes: ({ rounds, roundMs }) => 200e6 + rounds * roundMs * 40e3,
  measure: measureHttp,
};

type Servers = Readonly<{ app: MeasuredServer; hello: MeasuredServer; pocketbase: MeasuredServer | null }>;

async function measureHttp(bench: BenchRun): Promise<void> {
  await using made = new AsyncDisposableStack();
  const { app } = made.use(await startAppServer(bench.site, await bench.site.openBucket()));
  const hello = made.use(await startHello(bench.site));
  const pocketbase = made.use(await bench.startPeer("PocketBase", () => startPocketbase(bench.site)));
  await compareQuestions(bench, { app, hello, pocketbase });
  await compareConcurrency(bench, app);
  await comparePipelining(bench, { app, hello, pocketbase });
  const edges = {
    app: made.use(await startBehindCaddy(bench.site, app)),
    hello: made.use(await startBehindCaddy(bench.site, hello)),
  };
  await compareEdge(bench, { app, hello, pocketbase }, edges);
}

async function compareQuestions(bench: BenchRun, { app, hello, pocketbase }: Servers): Promise<void> {
  const ask = (name: string, asked: Asked, isPeer = false) => variantOf(bench, name, asked, isPeer);
  const peers =
    pocketbase === null
      ? []
      : (["one", "list", "create", "mixed"] as const).map((question) =>
          ask(`PocketBase: ${peerNames[question]}`, { server: pocketbase, question }, true),
        );
  await bench.compare({
    id: "http",
    title: `Requests over HTTP, ${usualConnections} connections`,
    about:
      "Ours checks a token, logs each request and replicates by Litestream. PocketBase has an equal collection that is open to everybody, and its creates are as durable as ours at `commit`. `mixed` is nine reads of one and a create. CPU is what the server's process used for each request, with all its threads.",
    baseline: "Fastify hello world",
    variants: [
      ask("Fastify hello world", { server: hello, question: "one" }, true),
      ask("GET one", { server: app, question: "one" }),
      ask("list of 20", { server: app, question: "list" }),
      ask("mixed 90/10 at commit", { server: app, question: "mixed", createHeaders: { durability: "commit" } }),
      ask("create at commit", { server: app, question: "create", createHeaders: { durability: "commit" } }),
      ask("create at disk", { server: app, question: "create", createHeaders: { durability: "disk" } }),
      ...peers,
    ],
  });
}

const peerNames = { one: "GET one", list: "list of 20", create: "create", mixed: "mixed 90/10" } as const;

async function compareConcurrency(bench: BenchRun, app: MeasuredServer): Promise<void> {
  const counts = bench.pace.isQuick ? [1, 128] : [1, 8, 32, 128];
  const reading = ["GET one", { question: "one" }] as const;
  const creating = ["create at commit", { question: "create", createHeaders: { durability: "commit" } }] as const;
  const questions = bench.pace.isQuick ? [reading] : [reading, creating];
  await bench.compare({
    id: "concurrency",
    title: "Requests over HTTP, by the number of connections",
    about: "Each connection waits for its answer before it asks again.",
    rounds: bench.sideRounds,
    variants: questions.flatMap(([name, asking]) =>
      counts.map((connections) =>
        variantOf(bench, `${name}, ${connections === 1 ? "1 connection" : `${connections} connections`}`, {
          server: app,
          ...asking,
          connections,
        }),
      ),
    ),
  });
}

async function comparePipelining(bench: BenchRun, { app, hello }: Servers): Promise<void> {
  const pipelined = { question: "one", pipelining: 10 } as const;
  await bench.compare({
    id: "pipelining",
    title: "Pipelining: ten requests at once on each connection",
    about:
      "As benchmarks of frameworks do it, and browsers and proxies never. Without it: the first two rows. wrk does not tell the latency of a pipeline.",
    baseline: "GET one",
    rounds: bench.sideRounds,
    variants: [
      variantOf(bench, "Fastify hello world", { server: hello, question: "one" }, true),
      variantOf(bench, "GET one", { server: app, question: "one" }),
      variantOf(bench, "Fastify hello world, pipelined", { server: hello, ...pipelined }, true),
      variantOf(bench, "GET one, pipelined", { server: app, ...pipelined }),
    ],
  });
}

async function compareEdge(
  bench: BenchRun,
  { app, hello }: Servers,
  edges: Omit<Servers, "pocketbase">,
): Promise<void> {
  const ask = (name: string, server: MeasuredServer, asking: Omit<Asking, "roundMs">, isPeer = false) =>
    variantOf(bench, name, { server, ...asking }, isPeer);
  const creating = { question: "create", createHeaders: { durability: "commit" } } as const;
  await bench.compare({
    id: "edge",
    title: "Straight to the server, and behind Caddy",
    about:
      "Plain HTTP, so without the cost of TLS. CPU behind Caddy is what Caddy alone used for each request, and otherwise the server's.",
    rounds: bench.sideRounds,
    variants: [
      ask("Fastify hello world", hello, { question: "one" }, true),
      ask("Fastify hello world, behind Caddy", edges.hello, { question: "one" }, true),
      ask("GET one", app, { question: "one" }),
      ask("GET one, behind Caddy", edges.app, { question: "one" }),
      ...(bench.pace.isQuick
        ? []
        : [ask("create at commit", app, creating), ask("create at commit, behind Caddy", edges.app, creating)]),
    ],
  });
}

type Asked = Omit<Asking, "roundMs"> & { server: MeasuredServer };

function variantOf(bench: BenchRun, name: string, { server, ...asking }: Asked, isPeer = false): Variant {
  return { name, isPeer, measure: () => bench.ask(server, asking) };
}
