import { expect, test } from "vitest";

import { startProductServer } from "../product/product-server.ts";
import { createCustomer, createInvoice, invoiceBody } from "./example-invoice.ts";

const valid = { name: "Ada", email: "ada@example.com" };
const nobody = "01900000-0000-7000-8000-000000000000";

test("a customer is created and read back", async () => {
  await using server = await startProductServer();
  const created = await server.call("POST", "/customers", { body: { name: "Ada", email: "ada@example.com" } });
  expect(created.status).toBe(201);
  expect(created.headers["durability"]).toBe("disk");
  expect(created.body).toMatchObject({ name: "Ada", email: "ada@example.com" });
  const read = await server.call("GET", `/customers/${String(created.body["id"])}`);
  expect(read.status).toBe(200);
  expect(read.body).toEqual(created.body);
});

test("an invoice is created with its lines and their exact total, and read back", async () => {
  await using server = await startProductServer();
  const customerId = await createCustomer(server);
  const lines = [
    { description: "Hosting", quantity: 3, unitCents: 1999 },
    { description: "Gift", quantity: 1, unitCents: 0 },
  ];
  const created = await server.call("POST", "/invoices", { body: invoiceBody(customerId, { lines }) });
  expect(created.status).toBe(201);
  expect(created.body).toMatchObject({ customerId, totalCents: 5997, status: "open", paidAt: null, lines });
  const read = await server.call("GET", `/invoices/${String(created.body["id"])}`);
  expect(read.body).toEqual(created.body);
});

test("an invoice is paid once; paying it again is a conflict", async () => {
  await using server = await startProductServer();
  const path = `/invoices/${await createInvoice(server)}/payment`;
  const paid = await server.call("POST", path);
  expect(paid.status).toBe(200);
  expect(paid.body).toMatchObject({ status: "paid", totalCents: 5997 });
  expect(paid.body["paidAt"]).toEqual(expect.any(String));
  const again = await server.call("POST", path, { body: {} });
  expect(again.status).toBe(409);
  expect(again.body["type"]).toBe("urn:lifeboat:problem:already-paid");
});

test("unknown ids in a path answer 404", async () => {
  await using server = await startProductServer();
  for (const path of [
    `/customers/${nobody}`,
    "/customers/nonsense",
    `/invoices/${nobody}`,
    "/invoices/%27%20or%201=1",
  ]) {
    const { status, body } = await server.call("GET", path);
    expect(status, path).toBe(404);
    expect(body["type"], path).toBe("urn:lifeboat:problem:not-found");
  }
  expect((await server.call("POST", `/invoices/${nobody}/payment`)).status).toBe(404);
});

test("an unknown customer in a body answers 422, and nothing is stored", async () => {
  await using server = await startProductServer();
  const { status, body } = await server.call("POST", "/invoices", { body: invoiceBody(nobody) });
  expect(status).toBe(422);
  expect(body["type"]).toBe("urn:lifeboat:problem:unknown-customer");
  expect((await server.call("GET", "/invoices")).body).toEqual({ items: [], nextCursor: null });
});

test("a second invoice with the same reference, or customer with the same email, is a conflict", async () => {
  await using server = await startProductServer();
  const customerId = await createCustomer(server);
  expect((await server.call("POST", "/invoices", { body: invoiceBody(customerId) })).status).toBe(201);
  const invoice = await server.call("POST", "/invoices", { body: invoiceBody(customerId, { currency: "USD" }) });
  expect([invoice.status, invoice.body["type"]]).toEqual([409, "urn:lifeboat:problem:conflict"]);
  const customer = await server.call("POST", "/customers", { body: { name: "Bob", email: "ada@example.com" } });
  expect([customer.status, customer.body["type"]]).toEqual([409, "urn:lifeboat:problem:conflict"]);
  expect((await server.call("GET", "/invoices")).body["items"]).toHaveLength(1);
});

test("SQL in a text field is stored and returned as data", async () => {
  await using server = await startProductServer();
  const attack = `Robert'); drop table "customers"; --`;
  const email = `'/**/or/**/1=1;--"@example.com`;
  const customer = await server.call("POST", "/customers", { body: { name: attack, email } });
  expect(customer.body).toMatchObject({ name: attack, email });
  const customerId = String(customer.body["id"]);
  const lines = [{ description: attack, quantity: 1, unitCents: 1 }];
  const body = invoiceBody(customerId, { reference: attack, lines });
  const invoice = await server.call("POST", "/invoices", { body });
  expect(invoice.body).toMatchObject(body);
  expect((await server.call("GET", `/invoices/${String(invoice.body["id"])}`)).body).toMatchObject(body);
  expect((await server.call("GET", `/customers/${customerId}`)).body).toMatchObject({ name: attack, email });
  expect((await server.call("POST", "/invoices", { body: invoiceBody(attack) })).status).toBe(422);
  const filter = encodeURIComponent(`' or '1'='1`);
  expect((await server.call("GET", `/invoices?customerId=${filter}`)).body["items"]).toEqual([]);
});

test("text is refused when empty, too long, of several lines, or not storable as it is", async () => {
  await using server = await startProductServer();
  for (const name of ["", "x".repeat(201), "a\nb", "a\u0000b", "\ud800"]) {
    const { status } = await server.call("POST", "/customers", { body: { ...valid, name } });
    expect(status, JSON.stringify(name)).toBe(400);
  }
  for (const email of ["ada", "@example.com", "ada@", "a b@example.com", `${"x".repeat(251)}@a.b`]) {
    expect((await server.call("POST", "/customers", { body: { ...valid, email } })).status, email).toBe(400);
  }
  const kept = await server.call("POST", "/customers", { body: { ...valid, name: "Zoë 漢字 👩‍🚀".repeat(10) } });
  expect(kept.status).toBe(201);
  const read = await server.call("GET", `/customers/${String(kept.body["id"])}`);
  expect(read.body["name"]).toBe("Zoë 漢字 👩‍🚀".repeat(10));
});

test("invoices are listed for one customer, without their lines", async () => {
  await using server = await startProductServer();
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
