import { setTimeout as sleep } from "node:timers/promises";

import { expect, test } from "vitest";

import { waitFor } from "../../app/cli/wait-for.ts";
import { addEventStream } from "../../app/http/events.ts";
import { pagesProduct } from "../product/pages.ts";
import { startTestServer, token } from "./test-server.ts";

const headers = { authorization: `Bearer ${token}` };

/** The pages, with a stream that may have to wait before it is opened. */
async function start(beforeOpening: () => Promise<void>, toEvent = () => ({ event: "page", data: {} })) {
  const product = {
    ...pagesProduct,
    addRoutes: (...[server, context]: Parameters<typeof pagesProduct.addRoutes>) => {
      pagesProduct.addRoutes(server, context);
      // As the seal of a session is opened: the request was let in before the stop.
      server.addHook("preHandler", beforeOpening);
      addEventStream(server, "/events", { ...context, toEvent, limits: { mostStreams: 1_000 } });
    },
  };
  const server = await startTestServer({}, { product });
  return { server, url: await server.server.listen({ host: "127.0.0.1", port: 0 }) };
}

test("a stream that is about to open when the stop comes ends with it, and costs it no time", async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  let isAsked = false;
  const { server, url } = await start(() => {
    isAsked = true;
    return promise;
  });
  await using _server = server;
  const answer = fetch(`${url}/events`, { headers }).then((found) => found.text());
  await waitFor("the request", async () => (isAsked ? true : null), { timeoutMs: 5_000 });
  const startedAt = performance.now();
  const closing = server.server.close();
  await sleep(50);
  resolve();
  expect(await answer).toContain("retry: 2000");
  await closing;
  expect(performance.now() - startedAt).toBeLessThan(3_000);
});

test("500 clients hear of every commit, and one that goes in the middle takes nothing from the others", async () => {
  const { server, url } = await start(() => Promise.resolve());
  await using _server = server;
  const leave = new AbortController();
  const said: string[] = [];
  const read = async (index: number) => {
    const signal = index % 2 === 0 ? leave.signal : null;
    const { body } = await fetch(`${url}/events`, { headers, signal });
    for await (const chunk of body ?? []) said[index] = (said[index] ?? "") + Buffer.from(chunk).toString();
  };
  const ends = Array.from({ length: 500 }, (_, index) => read(index).catch(() => undefined));
  await waitFor("all streams", async () => (said.filter(Boolean).length === 500 ? true : null), { timeoutMs: 20_000 });
  const write = (title: string) => server.call("POST", "/pages", { body: { title } });
  expect((await write("one")).status).toBe(201);
  leave.abort();
  for (const title of ["two", "three"]) expect((await write(title)).status).toBe(201);
  const heard = () => said.filter((text, index) => index % 2 === 1 && text.match(/^event: page$/gm)?.length === 3);
  await waitFor("all who stay to hear", async () => (heard().length === 250 ? true : null), { timeoutMs: 10_000 });
  await server.server.close();
  await Promise.all(ends);
});

test("an event that cannot be made takes nothing from the write, and the next one is told", async () => {
  let isBroken = true;
  const { server, url } = await start(
    () => Promise.resolve(),
    () => {
      if (isBroken) throw new Error("no event");
      return { event: "page", data: { big: "x".repeat(10) } };
    },
  );
  await using _server = server;
  const answer = fetch(`${url}/events`, { headers }).then((found) => found.text());
  expect((await server.call("POST", "/pages", { body: { title: "one" } })).status).toBe(201);
  isBroken = false;
  expect((await server.call("POST", "/pages", { body: { title: "two" } })).status).toBe(201);
  await sleep(100);
  await server.server.close();
  expect((await answer).match(/^event: page$/gm)).toHaveLength(1);
});
