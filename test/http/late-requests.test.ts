import { once } from "node:events";
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

import { expect, test } from "vitest";

import { startTestServer, token } from "./test-server.ts";

test.each([
  ["a body", 3, "Content-Length: 16\r\n\r\n"],
  ["a header", 0, "Content-Length: 16\r\n"],
])("what comes late in %s, after the 408, is not carried out", async (_, cut, before) => {
  await using server = await startTestServer();
  Object.assign(server.server.server, { requestTimeout: 400, headersTimeout: 300, connectionsCheckingInterval: 100 });
  const address = new URL(await server.server.listen({ host: "127.0.0.1", port: 0 }));
  const socket = connect({ port: Number(address.port), host: address.hostname, allowHalfOpen: true });
  socket.on("error", () => undefined);
  await once(socket, "connect");
  const head = `POST /pages HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\nContent-Type: application/json\r\n`;
  const body = '{"title":"late"}';
  const early = body.slice(0, cut);
  socket.write(`${head}${before}${early}`);
  expect(String(await once(socket, "data"))).toContain("408 Request Timeout");
  socket.write(cut === 0 ? `\r\n${body}` : body.slice(cut));
  await sleep(300);
  expect((await server.call("GET", "/pages")).body["items"]).toEqual([]);
  socket.destroy();
});
