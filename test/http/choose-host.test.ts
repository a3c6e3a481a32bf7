import { connect, createServer } from "node:net";

import { expect, test } from "vitest";

import { chooseHost } from "../../app/http/choose-host.ts";

// Without IPv6: test/machine/network.test.ts.
test.each([
  ["::", ["127.0.0.1", "::1"]],
  ["127.0.0.1", ["127.0.0.1"]],
  ["0.0.0.0", ["127.0.0.1"]],
])("a server that listens at %s is reached at %j", async (asked, reached) => {
  const host = await chooseHost(asked);
  const server = createServer((socket) => socket.end());
  await new Promise<void>((resolve) => server.listen({ host, port: 0 }, resolve));
  const address = server.address();
  const port = address !== null && typeof address === "object" ? address.port : 0;
  const tries = ["127.0.0.1", "::1"].map((to) => isReached(to, port));
  expect((await Promise.all(tries)).flat()).toEqual(reached);
  server.close();
});

function isReached(host: string, port: number): Promise<string[]> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    socket.once("connect", () => resolve([host])).once("error", () => resolve([]));
    socket.once("close", () => socket.destroy());
  });
}
