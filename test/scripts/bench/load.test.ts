import { createServer, type IncomingMessage, type Server } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";

import { expect, test } from "vitest";

import type { Load } from "../../../scripts/bench/load/load.ts";
import { readAnswer } from "../../../scripts/bench/load/raw-connection.ts";
import { runLoad } from "../../../scripts/bench/load/run-load.ts";
import { renderWrkScript } from "../../../scripts/bench/load/wrk-script.ts";
import { Leftovers } from "../../../scripts/local/leftovers.ts";
import { listenOnLoopback } from "../../../scripts/local/listen-on-loopback.ts";
import { makeTemporaryDirectory } from "../../database/temporary-directory.ts";

const usual: Load = {
  port: 0,
  headers: { authorization: "Bearer secret" },
  reads: ["/one", "/two"],
  createEvery: 10,
  createPath: "/customers",
  createHeaders: { durability: "disk" },
  mark: "m'1",
  connections: 4,
  pipelining: 1,
  durationMs: 600,
  isStrict: false,
  perSecond: 200,
};

function serve(act: (request: IncomingMessage) => Promise<void>): Server {
  return createServer((request, response) => void act(request).then(() => response.end("{}")));
}

async function send(server: Server, change: Partial<Load>) {
  await using listening = await listenOnLoopback(server);
  using directory = makeTemporaryDirectory();
  return await runLoad(
    { ...usual, port: listening.port, ...change },
    { directory: directory.path, leftovers: new Leftovers() },
  );
}

test("a load sends reads and creates in its proportion, each create with a customer of its own", async () => {
  const seen: string[] = [];
  const emails = new Set<string>();
  const server = serve(async (request) => {
    const { method, url, headers } = request;
    seen.push([method, url, headers.authorization, headers["durability"]].join(" "));
    const body = Buffer.concat(await request.toArray()).toString("utf8");
    if (method === "POST") emails.add(JSON.parse(body).email);
  });
  const { figures, requests } = await send(server, {});
  const creates = seen.filter((one) => one === "POST /customers Bearer secret disk").length;
  expect(requests).toBe(120);
  expect(seen).toHaveLength(120);
  expect(creates).toBe(12);
  expect(emails.size).toBe(12);
  expect(seen.filter((one) => one.startsWith("GET /one Bearer secret")).length).toBeGreaterThan(40);
  expect(figures.perSecond).toBeGreaterThan(100);
});

test("at a fixed rate a server that stands still is charged for every request that was due meanwhile", async () => {
  let count = 0;
  let free = Promise.resolve();
  const server = serve(async () => {
    count += 1;
    if (count === 20) free = sleep(400);
    await free;
  });
  // Four connections see four slow answers; 400 ms at 200 a second is 80 requests that people waited for.
  const { figures } = await send(server, { createEvery: 0 });
  expect(figures.worstMs).toBeGreaterThan(390);
  expect(figures.p50Ms).toBeGreaterThan(20);
  expect(figures.p99Ms).toBeGreaterThan(350);
});

test("a load that is refused is no measurement", async () => {
  const server = createServer((_request, response) => void response.writeHead(503).end());
  await expect(send(server, {})).rejects.toThrow("120 requests were answered 503");
  const halfway = createServer((_request, response) => void response.writeHead(202).end());
  await expect(send(halfway, { isStrict: true })).rejects.toThrow("120 requests were answered 202");
});

const bytes = (text: string) => Buffer.from(text.replaceAll("\n", "\r\n"));

test("an answer is whole when its length or its last chunk is there", () => {
  const known = bytes("HTTP/1.1 201 Created\nContent-Length: 4\n\nbody");
  expect(readAnswer(known)).toEqual({ status: 201, length: known.length });
  expect(readAnswer(known.subarray(0, -1))).toBe(null);
  expect(readAnswer(Buffer.concat([known, known]))?.length).toBe(known.length);
  const chunked = bytes("HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n2\n{}\n0\n\n");
  expect(readAnswer(chunked)).toEqual({ status: 200, length: chunked.length });
  expect(readAnswer(chunked.subarray(0, -3))).toBe(null);
  expect(readAnswer(bytes("HTTP/1.1 204 No Content\n\n"))).toEqual({ status: 204, length: 27 });
});

test("wrk is told the same load: the headers, the paths, one create in so many, and all of a pipeline at once", () => {
  const script = renderWrkScript(usual);
  expect(script).toContain(String.raw`"email":"ada-m\'1-' .. count .. '@example.com"}'`);
  expect(script).toContain("{ '/one', '/two' }, 10, 1");
  expect(script).toContain("['durability'] = 'disk'");
});
