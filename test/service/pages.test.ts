import { expect, test } from "vitest";

import { token } from "../http/test-server.ts";
import { startProductServer } from "../product/product-server.ts";
import { createInvoice } from "./example-invoice.ts";

test("the page of invoices brings all that it needs, and holds no code or style that its own policy forbids", async () => {
  await using server = await startProductServer();
  const page = await server.server.inject("/app/");
  expect(page.statusCode).toBe(200);
  const parts = [...page.body.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, path = ""]) => path);
  expect(parts.length).toBeGreaterThan(1);
  for (const path of parts) {
    const part = await server.server.inject(`/app/${path}`);
    expect([part.statusCode, part.headers["cache-control"]], path).toEqual([200, expect.stringContaining("immutable")]);
  }
  expect(page.body).not.toMatch(/<style|<script>|\son\w+=|\sstyle=/);
});

test("who has signed in reads invoices, and hears of a new one without what is in it", async () => {
  await using server = await startProductServer();
  const signIn = await server.server.inject({ method: "POST", url: "/session", payload: { token } });
  const cookie = `lifeboat-session=${signIn.cookies[0]?.value ?? ""}`;
  expect((await server.server.inject({ url: "/invoices", headers: { cookie } })).statusCode).toBe(200);
  const events = server.server.inject({ url: "/events", headers: { cookie } });
  await server.server.inject({ url: "/invoices", headers: { cookie } });
  const id = await createInvoice(server);
  await server.call("POST", `/invoices/${id}/payment`);
  await server.server.close();
  const told = (await events).body.split("\n").filter((line) => /^(?:event|data):/.test(line));
  const [open, paid] = [`data: {"id":"${id}","status":"open"}`, `data: {"id":"${id}","status":"paid"}`];
  expect(told).toEqual(["event: invoice", open, "event: invoice", paid]);
});
