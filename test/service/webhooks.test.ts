import { createServer } from "node:http";
import { text } from "node:stream/consumers";

import { expect, test } from "vitest";

import { waitFor } from "../../app/cli/wait-for.ts";
import { listenOnLoopback } from "../../scripts/local/listen-on-loopback.ts";
import { startProductServer } from "../product/product-server.ts";
import { createInvoice } from "./example-invoice.ts";

test("a payment is told to its webhook once it is in the bucket; what fails shows its cause, and can be seen", async () => {
  const seen: { id: unknown; body: unknown }[] = [];
  let status = 500;
  await using receiver = await listenOnLoopback(
    createServer((request, response) => {
      void text(request).then((body) => {
        seen.push({ id: request.headers["webhook-id"], body: JSON.parse(body) });
        return response.writeHead(status).end();
      });
    }),
  );
  await using server = await startProductServer();
  expect((await server.call("POST", "/webhooks", { body: { url: "http://[" } })).status).toBe(422);
  expect((await server.call("POST", "/webhooks", { body: { url: receiver.url } })).status).toBe(201);
  expect((await server.call("POST", "/webhooks", { body: { url: receiver.url } })).status).toBe(409);
  const id = await createInvoice(server);
  expect((await server.call("POST", `/invoices/${id}/payment`)).status).toBe(200);
  const waiting = { name: "post-webhook", waiting: 1 };
  expect((await server.call("GET", "/effects")).body).toMatchObject({
    held: null,
    handlers: [waiting],
    deadLetters: 0,
  });
  expect(seen).toEqual([]);
  server.background.start();
  const cause = "the receiver answered 500";
  const effects = async (isTrue: (text: string) => boolean) =>
    waitFor("effects", async () => (isTrue((await server.call("GET", "/effects")).text) ? true : null), {
      timeoutMs: 10_000,
    });
  await effects((said) => said.includes(cause));
  status = 204;
  await effects((said) => said.includes('"waiting":0'));
  expect(seen).toHaveLength(2);
  expect(seen[1]).toEqual(seen[0]);
  expect(seen[0]?.body).toMatchObject({ type: "invoice.paid", data: { id } });
  expect((await server.call("GET", "/effects/dead-letters")).body).toEqual({ items: [], nextCursor: null });
  const retry = await server.call("POST", "/effects/dead-letters/nothing/retry");
  expect([retry.status, retry.body["type"]]).toEqual([404, "urn:lifeboat:problem:not-found"]);
  expect((await server.call("GET", "/jobs")).body).toMatchObject({
    held: null,
    jobs: [{ name: "nightly-count", schedule: "5 0 * * *", lastOutcome: null }],
  });
  for (const path of ["/effects", "/effects/dead-letters", "/jobs"])
    expect((await server.call("GET", path, { headers: { authorization: "" } })).status, path).toBe(401);
});
