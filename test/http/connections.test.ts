import { once } from "node:events";
import { connect } from "node:net";
import type { AddressInfo } from "node:net";

import { expect, test } from "vitest";

import { startTestServer, token } from "./test-server.ts";
import type { TestServer } from "./test-server.ts";

async function listen(server: TestServer): Promise<number> {
  await server.server.listen({ host: "127.0.0.1", port: 0 });
  const address: AddressInfo | string | null = server.server.server.address();
  if (address === null || typeof address === "string") throw new Error("the server has no port");
  return address.port;
}

/** Sends raw bytes and gives all that comes back until the connection ends. */
function exchange(port: number, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1", () => socket.write(text));
    let received = "";
    socket.setEncoding("utf8").setTimeout(10_000, () => socket.destroy(new Error("no end after 10 s")));
    socket.on("data", (chunk: string) => (received += chunk));
    socket.on("error", (error: NodeJS.ErrnoException) =>
      error.code === "ECONNRESET" ? resolve(received) : reject(error),
    );
    socket.on("close", () => resolve(received));
  });
}

function post(title: string): string {
  const body = JSON.stringify({ title });
  const head = [
    "POST /pages HTTP/1.1",
    "Host: x",
    `Authorization: Bearer ${token}`,
    "Durability: bucket",
    "Content-Type: application/json",
    `Content-Length: ${body.length}`,
  ];
  return `${head.join("\r\n")}\r\n\r\n${body}`;
}

test("bytes that are not HTTP answer 400 and too large headers 431, each as a problem, and the server goes on", async () => {
  await using server = await startTestServer();
  const port = await listen(server);
  const garbage = await exchange(port, "HELLO\r\n\r\n");
  expect(garbage).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n/);
  expect(garbage).toContain("application/problem+json");
  expect(garbage).toContain("urn:lifeboat:problem:malformed-request");
  const large = await exchange(port, `GET /up HTTP/1.1\r\nHost: x\r\nX-Large: ${"x".repeat(20_000)}\r\n\r\n`);
  expect(large).toMatch(/^HTTP\/1\.1 431 /);
  expect(large).toContain("urn:lifeboat:problem:headers-too-large");
  expect((await fetch(`http://127.0.0.1:${port}/up`)).status).toBe(200);
});

test("garbage after a write that is under way is not answered in its place", async () => {
  await using server = await startTestServer();
  const port = await listen(server);
  const replicated = Promise.withResolvers<void>();
  server.replication.outcome = () => replicated.promise;
  const received = await exchange(port, `${post("ada")}GARBAGE\r\n\r\n`);
  replicated.resolve();
  expect(received).toBe("");
});

test("garbage after an answered write is answered, as a problem", async () => {
  await using server = await startTestServer();
  const port = await listen(server);
  const socket = connect(port, "127.0.0.1", () => socket.write(post("ada")));
  let received = "";
  socket.setEncoding("utf8").on("data", (chunk: string) => {
    if (received === "") socket.write("GARBAGE\r\n\r\n");
    received += chunk;
  });
  await new Promise((resolve) => socket.on("close", resolve));
  expect(received).toMatch(/^HTTP\/1\.1 201 Created\r\n[^]*HTTP\/1\.1 400 Bad Request\r\n/);
});

test("a stop answers the write under way, refuses the next one on its connection, and then closes", async () => {
  await using server = await startTestServer();
  const stopping = Promise.withResolvers<void>();
  server.server.addHook("preClose", async () => stopping.resolve());
  const port = await listen(server);
  const asked = Promise.withResolvers<void>();
  const replicated = Promise.withResolvers<void>();
  server.replication.outcome = () => {
    asked.resolve();
    return replicated.promise;
  };
  const socket = connect(port, "127.0.0.1", () => socket.write(post("first")));
  let received = "";
  socket.setEncoding("utf8").on("data", (chunk: string) => (received += chunk));
  const ended = new Promise((resolve) => socket.on("close", resolve));
  await asked.promise;
  const closed = server.server.close();
  await stopping.promise;
  const second = once(server.server.server, "request");
  socket.write(post("second"));
  await second;
  replicated.resolve();
  await Promise.all([ended, closed]);
  expect(received).toMatch(/^HTTP\/1\.1 201 Created\r\n/);
  expect(received).toMatch(/HTTP\/1\.1 503 [^]*lifeboat-not-begun: stopping\r\n[^]*urn:lifeboat:problem:stopping/);
  expect(received).not.toContain("second");
  await expect(fetch(`http://127.0.0.1:${port}/up`)).rejects.toThrow("fetch failed");
});

test("the time limits are set, and idle connections outlive a proxy's", async () => {
  await using server = await startTestServer();
  const { requestTimeout, headersTimeout, keepAliveTimeout, timeout } = server.server.server;
  expect({ requestTimeout, headersTimeout, timeout }).toEqual({
    requestTimeout: 30_000,
    headersTimeout: 15_000,
    timeout: 60_000,
  });
  expect(keepAliveTimeout).toBeGreaterThan(120_000);
});
