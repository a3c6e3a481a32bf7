import { once } from "node:events";
import { connect, type AddressInfo, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

import { expect, test } from "vitest";

import { startTestServer, type TestServer, token } from "./test-server.ts";

async function listen(server: TestServer): Promise<number> {
  await server.server.listen({ host: "127.0.0.1", port: 0 });
  const address: AddressInfo | string | null = server.server.server.address();
  if (address === null || typeof address === "string") throw new Error("the server has no port");
  return address.port;
}

/** A raw connection that has sent some bytes. Errors are part of the game: the server breaks it off. */
async function open(port: number, text = ""): Promise<Socket> {
  const socket = connect(port, "127.0.0.1").on("error", () => undefined);
  await once(socket, "connect");
  if (text !== "") socket.write(text);
  return socket;
}

async function openKeepAlive(port: number): Promise<Socket> {
  const socket = await open(port, "GET /up HTTP/1.1\r\nHost: x\r\n\r\n");
  await once(socket, "data");
  return socket;
}

async function measureClose(server: TestServer): Promise<number> {
  const startedAt = performance.now();
  await server.server.close();
  return performance.now() - startedAt;
}

const head = (length: number) =>
  `POST /pages HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\nContent-Type: application/json\r\nContent-Length: ${length}\r\n\r\n`;
const halfAHeader = "GET /up HTTP/1.1\r\nHost: x\r\nX-Slo";

test("a stop does not wait for connections that ask for nothing: idle, silent, half a header, a byte now and then", async () => {
  await using server = await startTestServer();
  const port = await listen(server);
  for (let client = 0; client < 8; client += 1) await openKeepAlive(port);
  await open(port);
  await open(port, halfAHeader);
  const dripping = await open(port, "G");
  const drip = setInterval(() => dripping.write("E"), 200);
  await sleep(300);
  expect(await measureClose(server)).toBeLessThan(3_000);
  clearInterval(drip);
});

test("a stop waits for a slow body and a slow reader until its limit, and not longer", async () => {
  const closeTimeoutMs = 1_500;
  await using server = await startTestServer({ closeTimeoutMs });
  server.server.get("/big", async () => "x".repeat(64 * 1024 * 1024));
  const port = await listen(server);
  const slowBody = await open(port, `${head(1000)}{`);
  const drip = setInterval(() => slowBody.write(" "), 200);
  const reader = await open(port, `GET /big HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\n\r\n`);
  await once(reader, "data");
  reader.pause();
  const tookMs = await measureClose(server);
  clearInterval(drip);
  reader.destroy();
  expect(tookMs).toBeGreaterThan(closeTimeoutMs - 100);
  expect(tookMs).toBeLessThan(closeTimeoutMs + 5_000);
});

test("an answer that begins after the stop announces the end of its connection, and ends it", async () => {
  await using server = await startTestServer();
  const asked = Promise.withResolvers<void>();
  const replicated = Promise.withResolvers<void>();
  server.replication.outcome = () => (asked.resolve(), replicated.promise);
  const port = await listen(server);
  const body = JSON.stringify({ title: "ada" });
  const socket = await open(
    port,
    head(body.length).replace("Content-Type", "Durability: bucket\r\nContent-Type") + body,
  );
  let received = "";
  socket.setEncoding("utf8").on("data", (chunk: string) => (received += chunk));
  const ended = once(socket, "close");
  await asked.promise;
  const closed = server.server.close();
  await sleep(100);
  replicated.resolve();
  await Promise.all([closed, ended]);
  expect(received).toMatch(/^HTTP\/1\.1 201 Created\r\n/);
  expect(received.toLowerCase()).toContain("connection: close");
});

test("an early answer to a slow body does not hold the stop", async () => {
  await using server = await startTestServer();
  const port = await listen(server);
  const socket = await open(port, head(1000).replace(token, "wrong"));
  await once(socket, "data");
  const drip = setInterval(() => socket.write(" "), 200);
  expect(await measureClose(server)).toBeLessThan(3_000);
  clearInterval(drip);
});

test(
  "a flood of idle connections does not lock out the next client: the longest idle one gives way",
  { timeout: 60_000 },
  async () => {
    await using server = await startTestServer();
    const port = await listen(server);
    const first = await openKeepAlive(port);
    const gone = once(first, "close");
    const flood: Socket[] = [];
    for (let client = 0; client < 1_000; client += 1) flood.push(await open(port));
    expect((await fetch(`http://127.0.0.1:${port}/up`)).status).toBe(200);
    await gone;
    for (const socket of flood) socket.destroy();
  },
);
