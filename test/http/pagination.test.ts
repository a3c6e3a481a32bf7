import { expect, test } from "vitest";

import { createCustomer, invoiceBody } from "./example-invoice.ts";
import { startTestServer } from "./test-server.ts";
import type { TestServer } from "./test-server.ts";

async function addCustomers(server: TestServer, from: number, count: number): Promise<void> {
  const numbers = Array.from({ length: count }, (_, index) => from + index);
  await Promise.all(numbers.map((number) => createCustomer(server, `${number}@example.com`)));
}

async function readPage(server: TestServer, path: string): Promise<{ ids: string[]; nextCursor: string | null }> {
  const { status, body } = await server.call("GET", path);
  expect(status, path).toBe(200);
  const items = Array.isArray(body["items"]) ? body["items"] : [];
  return {
    ids: items.map((item) => String(item.id)),
    nextCursor: typeof body["nextCursor"] === "string" ? body["nextCursor"] : null,
  };
}

test("a walk sees every row once, also those added while it walks", async () => {
  await using server = await startTestServer();
  await addCustomers(server, 0, 25);
  const seen: string[] = [];
  let cursor: string | null = "";
  for (let page = 0; cursor !== null; page += 1) {
    const { ids, nextCursor }: Awaited<ReturnType<typeof readPage>> = await readPage(
      server,
      cursor === "" ? "/customers?limit=4" : `/customers?limit=4&cursor=${cursor}`,
    );
    seen.push(...ids);
    cursor = nextCursor;
    if (page < 5) await addCustomers(server, 100 + page * 10, 3);
  }
  const { ids: every } = await readPage(server, "/customers?limit=1000");
  expect(every).toHaveLength(40);
  expect(seen).toEqual(every);
});

test("the last page has no next cursor, also when it is full, and 50 is the default", async () => {
  await using server = await startTestServer();
  await addCustomers(server, 0, 51);
  const first = await readPage(server, "/customers");
  expect(first.ids).toHaveLength(50);
  const second = await readPage(server, `/customers?cursor=${first.nextCursor}&limit=1`);
  expect(second.ids).toHaveLength(1);
  expect(second.nextCursor).toBeNull();
});

test("invoices are listed for one customer, without their lines", async () => {
  await using server = await startTestServer();
  const [ada, bob] = [await createCustomer(server), await createCustomer(server, "bob@example.com")];
  for (const [index, customerId] of [ada, bob, ada, bob, ada].entries()) {
    await server.call("POST", "/invoices", { body: invoiceBody(customerId, { reference: `R-${index}` }) });
  }
  const first = await server.call("GET", `/invoices?customerId=${ada}&limit=2`);
  expect(first.body["items"]).toMatchObject([{ reference: "R-0" }, { reference: "R-2" }]);
  expect(first.text).not.toContain("lines");
  const rest = await server.call("GET", `/invoices?customerId=${ada}&cursor=${String(first.body["nextCursor"])}`);
  expect(rest.body).toMatchObject({ items: [{ reference: "R-4" }], nextCursor: null });
});

test("a malformed or foreign cursor and a limit outside 1 to 1000 answer 400", async () => {
  await using server = await startTestServer();
  await addCustomers(server, 0, 2);
  const { nextCursor } = await readPage(server, "/customers?limit=1");
  const drop = Buffer.from("customers:' or 1=1 --").toString("base64url");
  const cursors = ["", "x", "%00", `${nextCursor}x`, `${nextCursor}=`, drop];
  for (const cursor of cursors)
    expect((await server.call("GET", `/customers?cursor=${cursor}`)).status, cursor).toBe(400);
  expect((await server.call("GET", `/invoices?cursor=${nextCursor}`)).status).toBe(400);
  for (const limit of ["0", "-1", "1001", "1.5", "ten", "", "1e2", "5&limit=6"]) {
    expect((await server.call("GET", `/customers?limit=${limit}`)).status, limit).toBe(400);
  }
  for (const limit of ["1", "1000"]) expect((await server.call("GET", `/customers?limit=${limit}`)).status).toBe(200);
});
