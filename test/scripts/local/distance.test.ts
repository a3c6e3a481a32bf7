import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { Agent, createServer, request, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";

import { expect, onTestFinished, test } from "vitest";

import { openDistance } from "../../../scripts/local/distance.ts";

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener).listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a TCP server's address is one
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Sends a body, and gives the digest of the answer and the time that it took. */
async function ask(
  endpoint: string,
  agent: Agent,
  body: Buffer | string = "",
): Promise<{ digest: string; ms: number }> {
  const startedAt = performance.now();
  const outgoing = request(endpoint, { agent, method: "POST" });
  outgoing.end(body);
  const [answer] = await once(outgoing, "response");
  const hash = createHash("sha256");
  for await (const chunk of answer) hash.update(chunk);
  return { digest: hash.digest("hex"), ms: performance.now() - startedAt };
}

const echo: RequestListener = (incoming, answer) => void incoming.pipe(answer);

test("a request takes a round trip, and a new connection another one", async () => {
  await using distance = await openDistance(await serve(echo), 60);
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  onTestFinished(() => agent.destroy());
  expect((await ask(distance.endpoint, agent)).ms).toBeGreaterThanOrEqual(118);
  expect((await ask(distance.endpoint, agent)).ms).toBeGreaterThanOrEqual(59);
});

test("large bodies arrive whole and in order in both directions", async () => {
  await using distance = await openDistance(await serve(echo), 4);
  const agent = new Agent();
  const bodies = Array.from({ length: 4 }, () => randomBytes(24 * 1024 * 1024));
  const answers = await Promise.all(bodies.map((body) => ask(distance.endpoint, agent, body)));
  const digests = bodies.map((body) => createHash("sha256").update(body).digest("hex"));
  expect(answers.map(({ digest }) => digest)).toEqual(digests);
});

test("what the server cuts off is cut off for its client", async () => {
  await using distance = await openDistance(await serve((incoming) => incoming.destroy()), 4);
  await expect(ask(distance.endpoint, new Agent())).rejects.toThrow("socket hang up");
});

test("a server that is gone is gone for its client", async () => {
  await using distance = await openDistance("http://127.0.0.1:9", 4);
  await expect(ask(distance.endpoint, new Agent())).rejects.toThrow(/socket hang up|ECONNRESET/);
});

test("its end cuts off who waits", async () => {
  const silent = await serve(() => undefined);
  const distance = await openDistance(silent, 4);
  const waiting = ask(distance.endpoint, new Agent());
  const cutOff = expect(waiting).rejects.toThrow(/socket hang up|ECONNRESET/);
  await new Promise((resolve) => setTimeout(resolve, 50));
  await distance[Symbol.asyncDispose]();
  await cutOff;
});

test("TLS is refused", async () => {
  await expect(openDistance("https://s3.example.test", 20)).rejects.toThrow("plain HTTP only");
});
