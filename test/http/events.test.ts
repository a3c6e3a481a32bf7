import { once } from "node:events";
import { connect, type AddressInfo, type Socket } from "node:net";

import { afterEach, expect, test, vi } from "vitest";

import { waitFor } from "../../app/cli/wait-for.ts";
import { addEventStream } from "../../app/http/events.ts";
import { pagesProduct } from "../product/pages.ts";
import { startTestServer, type TestServer, token } from "./test-server.ts";

type Limits = NonNullable<Parameters<typeof addEventStream>[2]["limits"]>;

afterEach(() => {
  vi.useRealTimers();
});

const toEvent = ({ command, result }: { command: string; result: unknown }) => ({ event: command, data: result });

/** The pages, with a stream of every commit, named by its command. */
async function start(limits: Limits = {}) {
  const product = {
    ...pagesProduct,
    sessions: true,
    addRoutes: (...[server, context]: Parameters<typeof pagesProduct.addRoutes>) => {
      pagesProduct.addRoutes(server, context);
      addEventStream(server, "/events", { ...context, toEvent, limits });
    },
  };
  const server = await startTestServer({}, { product });
  await server.server.listen({ host: "127.0.0.1", port: 0 });
  return server;
}

function portOf({ server }: TestServer): number {
  const address: AddressInfo | string | null = server.server.address();
  if (address === null || typeof address === "string") throw new Error("the server has no port");
  return address.port;
}

type Stream = AsyncDisposable & { status: number; type: string | null; said: () => string; ended: () => boolean };

const bearer = { authorization: `Bearer ${token}` };

/** Reads a stream as it comes; disposing goes away. */
async function listen(server: TestServer, headers: Record<string, string> = bearer): Promise<Stream> {
  const leave = new AbortController();
  const answer = await fetch(`http://127.0.0.1:${portOf(server)}/events`, { headers, signal: leave.signal });
  let text = "";
  let isOver = false;
  const reading = (async () => {
    for await (const chunk of answer.body ?? []) text += Buffer.from(chunk).toString();
  })()
    .catch(() => undefined)
    .finally(() => (isOver = true));
  return {
    status: answer.status,
    type: answer.headers.get("content-type"),
    said: () => text,
    ended: () => isOver,
    [Symbol.asyncDispose]: async () => {
      leave.abort();
      await reading;
    },
  };
}

const addPage = (server: TestServer, title: string, words = "") =>
  server.call("POST", "/pages", { body: { title, words }, headers: { "idempotency-key": `the-key-of-${title}` } });

async function hear(stream: Stream, words: string): Promise<string> {
  const look = async () => (stream.said().includes(words) ? stream.said() : null);
  return await waitFor(`the stream to say ${words}`, look, { timeoutMs: 5_000 });
}

const idsIn = (said: string) => [...said.matchAll(/^id: (.*)$/gm)].map(([, id = ""]) => id);

test("what is committed is told, once, in order; a refused write and a replay are not", async () => {
  await using server = await start();
  await using stream = await listen(server);
  expect([stream.status, stream.type]).toEqual([200, "text/event-stream"]);
  await addPage(server, "one");
  await addPage(server, "one");
  expect((await server.call("POST", "/pages", { body: { title: "one" } })).status).toBe(409);
  await addPage(server, "two");
  const said = await hear(stream, '"title":"two"');
  expect(said).toMatch(/^id: \w+-1\nevent: add-page\ndata: \{.*"title":"one".*\}\n\nid: \w+-2\n/m);
  expect(idsIn(said)).toHaveLength(2);
});

test("a client that comes back hears what it has missed, and after a restart that it must read again", async () => {
  await using server = await start({ mostKeptBytes: 2_000 });
  await addPage(server, "one");
  let last = "";
  {
    await using stream = await listen(server);
    await addPage(server, "two");
    [last = ""] = idsIn(await hear(stream, '"title":"two"'));
  }
  await addPage(server, "three");
  await using again = await listen(server, { ...bearer, "last-event-id": last });
  const said = await hear(again, '"title":"three"');
  expect(said).not.toContain('"title":"two"');
  for (const unknown of ["another-1", "nonsense", `${last.split("-")[0] ?? ""}-999`]) {
    await using stranger = await listen(server, { ...bearer, "last-event-id": unknown });
    expect(await hear(stranger, "data: {}")).toMatch(/id: \w+-3\nevent: reset\ndata: \{\}\n\n$/);
  }
  // More than is kept.
  await addPage(server, "four", "x".repeat(3_000));
  await using late = await listen(server, { ...bearer, "last-event-id": last });
  expect(await hear(late, "event: reset")).not.toContain("three");
});

test("a stop ends open streams at once, and answers everybody else", async () => {
  await using server = await start();
  await using stream = await listen(server);
  await using other = await listen(server);
  await addPage(server, "one");
  await hear(stream, "one");
  const startedAt = performance.now();
  await server.server.close();
  expect(performance.now() - startedAt).toBeLessThan(2_000);
  await waitFor("both streams to end", async () => (stream.ended() && other.ended() ? true : null), {
    timeoutMs: 2_000,
  });
  expect(stream.said().endsWith("\n\n")).toBe(true);
});

test("a stream asks for a token or a session, and ends when that ends", async () => {
  await using server = await start({ heartbeatMs: 50 });
  expect((await listen(server, {})).status).toBe(401);
  const answer = await server.server.inject({ method: "POST", url: "/session", payload: { token } });
  const [session] = answer.cookies;
  await using stream = await listen(server, { cookie: `${session?.name}=${session?.value}` });
  await using other = await listen(server);
  await hear(stream, ": still here");
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 13 * 60 * 60 * 1000 });
  await waitFor("the session's stream to end", async () => (stream.ended() ? true : null), { timeoutMs: 5_000 });
  expect(other.ended()).toBe(false);
});

test("no more clients than the limit are taken, and one that goes makes room", async () => {
  await using server = await start({ mostStreams: 2 });
  await using _first = await listen(server);
  {
    await using _second = await listen(server);
    const third = await server.call("GET", "/events");
    expect([third.status, third.body["type"]]).toEqual([503, "urn:lifeboat:problem:too-many-streams"]);
    expect(third.headers["retry-after"]).toBe("30");
  }
  const ask = async () => {
    await using stream = await listen(server);
    return stream.status === 200 ? true : null;
  };
  expect(await waitFor("room for one more", ask, { timeoutMs: 5_000 })).toBe(true);
});

test("a client that does not read is dropped; it holds up no write and no other client", async () => {
  await using server = await start();
  const deaf = await openDeaf(portOf(server));
  await using stream = await listen(server);
  const gone = once(deaf, "close");
  let isGone = false;
  void gone.then(() => (isGone = true));
  const many = async (round: number) => {
    const titles = Array.from({ length: 50 }, (_, index) => `${round}-${index}`);
    await Promise.all(titles.map((title) => addPage(server, title, "x".repeat(10_000))));
    await hear(stream, `"title":"${round}-49"`);
  };
  const connections = () =>
    new Promise<number>((resolve) => server.server.server.getConnections((_, count) => resolve(count)));
  const before = await connections();
  let round = 0;
  while ((await connections()) === before && round < 60) await many(round++);
  expect(await connections()).toBe(before - 1);
  deaf.resume();
  await waitFor("the deaf client to notice", async () => (isGone ? true : null), { timeoutMs: 5_000 });
});

async function openDeaf(port: number): Promise<Socket> {
  const socket = connect(port, "127.0.0.1").on("error", () => undefined);
  await once(socket, "connect");
  socket.write(`GET /events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\n\r\n`);
  await once(socket, "data");
  return socket.pause();
}
