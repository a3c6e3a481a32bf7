import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";

import { expect, test } from "vitest";

import { waitFor } from "../../app/cli/wait-for.ts";
import { listenOnLoopback } from "../../scripts/local/listen-on-loopback.ts";
import type { ControlledReplication } from "./controlled-replication.ts";
import { startTestServer } from "./test-server.ts";

const everyMs = 50;
const quietMs = 6 * everyMs;
const path = "/ping/0b0c5e1d-a-secret?also=this";

/** Whoever watches for the heartbeat: a real HTTP server that counts the calls, and can answer otherwise. */
async function openMonitor() {
  const calls: string[] = [];
  const behaviour: { answer: RequestListener } = { answer: (_request, response) => response.end("OK") };
  const http = createServer((request, response) => {
    calls.push(`${request.method} ${request.url}`);
    behaviour.answer(request, response);
  });
  const listener = await listenOnLoopback(http);
  const more = (count: number) => {
    const enough = calls.length + count;
    return waitFor(`${count} heartbeats`, async () => (calls.length >= enough ? true : null), { timeoutMs: 10_000 });
  };
  return { ...listener, calls, behaviour, http, more, heartbeat: { url: `${listener.url}${path}`, everyMs } };
}

async function serve(monitor: { heartbeat: { url: string; everyMs: number; limitMs?: number } }) {
  const server = await startTestServer({ heartbeat: monitor.heartbeat });
  await server.server.listen({ port: 0, host: "127.0.0.1" });
  return server;
}

test("while replication is proven the URL is called again and again, by GET and with its whole path", async () => {
  await using monitor = await openMonitor();
  await using _ = await serve(monitor);
  await monitor.more(3);
  expect(new Set(monitor.calls)).toEqual(new Set([`GET ${path}`]));
});

test("calls are an interval apart, however often the proof is renewed", async () => {
  await using monitor = await openMonitor();
  await using _ = await serve({ heartbeat: { ...monitor.heartbeat, everyMs: 60_000 } });
  await monitor.more(1);
  await sleep(1_500);
  expect(monitor.calls).toHaveLength(1);
});

const doubts: [doubt: string, change: (replication: ControlledReplication) => void][] = [
  ["no sync has been checked yet", (replication) => (replication.replicatedAgeMs = null)],
  ["the last checked sync is too old", (replication) => (replication.replicatedAgeMs = 60_001)],
  ["the chain is broken", (replication) => (replication.replicaFault = "its base is gone")],
  ["this machine is fenced", (replication) => (replication.state = "fenced")],
];

test("it is not called while anything speaks against the proof, and called again when that is over", async () => {
  await using monitor = await openMonitor();
  await using server = await serve(monitor);
  const staysQuiet = async (doubt: string) => {
    // A call that was on its way.
    await sleep(2 * everyMs);
    const { length } = monitor.calls;
    await sleep(quietMs);
    expect(monitor.calls, doubt).toHaveLength(length);
  };
  await monitor.more(1);
  const proven = { state: "living", replicatedAgeMs: 12, replicaFault: null };
  for (const [doubt, change] of doubts) {
    change(server.replication);
    await staysQuiet(doubt);
    Object.assign(server.replication, proven);
    await monitor.more(1);
  }
  server.writer.fence();
  await staysQuiet("the writer takes nothing");
});

test("a check that throws counts as no proof and is logged once, and the process goes on", async () => {
  await using monitor = await openMonitor();
  await using server = await serve(monitor);
  await monitor.more(1);
  const throwing: PropertyDescriptor = {
    configurable: true,
    get: () => {
      throw new Error("no age");
    },
  };
  Object.defineProperty(server.replication, "replicatedAgeMs", throwing);
  await sleep(2 * everyMs);
  const { length } = monitor.calls;
  await sleep(quietMs);
  expect(monitor.calls).toHaveLength(length);
  expect(server.log.filter((line) => line.includes("cannot be judged"))).toHaveLength(1);
  Object.defineProperty(server.replication, "replicatedAgeMs", { value: 12, configurable: true });
  await monitor.more(1);
});

test("a stop ends a call that hangs at once, and no other follows", async () => {
  await using monitor = await openMonitor();
  await using server = await serve(monitor);
  await monitor.more(1);
  monitor.behaviour.answer = () => undefined;
  const [, response] = await once(monitor.http, "request");
  const startedAt = performance.now();
  const closing = server.server.close();
  await once(response, "close");
  await closing;
  expect(performance.now() - startedAt).toBeLessThan(2_000);
  const { length } = monitor.calls;
  await sleep(quietMs);
  expect(monitor.calls).toHaveLength(length);
  expect(server.log.join("")).not.toContain("heartbeat URL");
});

const failures: [failure: string, answer: RequestListener, cause: string][] = [
  ["answers 404", (_request, response) => response.writeHead(404).end(), "it answered 404"],
  ["hangs up", (request) => request.socket.destroy(), "UND_ERR_SOCKET"],
  ["never answers", () => undefined, "TimeoutError"],
  [
    "redirects to nowhere",
    (_request, response) => response.writeHead(302, { location: `gopher://x${path}` }).end(),
    "",
  ],
];

test("a URL that fails is logged once until it works again, without the URL itself", async () => {
  await using monitor = await openMonitor();
  await using server = await serve({ heartbeat: { ...monitor.heartbeat, limitMs: 1_000 } });
  const { host } = new URL(monitor.url);
  const sound = monitor.behaviour.answer;
  for (const [index, [failure, answer, cause]] of failures.entries()) {
    server.log.length = 0;
    monitor.behaviour.answer = answer;
    await monitor.more(3);
    const body = { title: `ada-${index}` };
    expect((await server.call("POST", "/pages", { body })).status, failure).toBe(201);
    monitor.behaviour.answer = sound;
    await monitor.more(3);
    const told = server.log.filter((line) => line.includes("heartbeat")).map((line) => JSON.parse(line));
    expect(told, failure).toMatchObject([
      { level: 40, host, cause: expect.stringContaining(cause) },
      { level: 30, host },
    ]);
    expect(server.log.join(""), failure).not.toMatch(/ping|a-secret|also=this/);
  }
});
