import { readdirSync, readFileSync } from "node:fs";

import { expect, test } from "vitest";

import { waitFor, within } from "../../app/cli/wait-for.ts";
import { exitCodes } from "../../app/exit-codes.ts";
import { change, compareAfter } from "../drill/compare-after.ts";
import { WholeSite } from "./whole-machine.ts";

const timeout = 300_000;

test.each([
  ["one cent added to a total", "UPDATE invoices SET total_cents = total_cents + 1 WHERE rowid = 1"],
  ["two lines of an invoice merged", "DELETE FROM invoice_lines WHERE rowid = 1"],
])("%s: a row differs", { timeout }, async (_, sql) => {
  expect((await compareAfter({ inDatabase: change(sql) })).differing).toBe(1);
});

test("a row that nobody wrote is found", { timeout }, async () => {
  const sql = "INSERT INTO customers (id, name, email, created_at) VALUES ('x', 'Eve', 'eve@example.test', '2026')";
  expect((await compareAfter({ inDatabase: change(sql) })).unexpected).toBe(1);
});

const ada = { name: "Ada", email: "ada@example.com" };

test("a fence ends open streams cleanly, so that browsers connect again", { timeout }, async () => {
  await using site = await WholeSite.open();
  const machine = await site.addMachine("one");
  await machine.switchOnUntilReady();
  const { port, token } = machine.target;
  const headers = { authorization: `Bearer ${token}` };
  const { id }: { id: string } = JSON.parse((await machine.ask("POST", "/customers", { body: ada })).text);
  const lines = [{ description: "Hosting", quantity: 1, unitCents: 100 }];
  const streams = await Promise.all(
    Array.from({ length: 20 }, () => fetch(`http://127.0.0.1:${port}/events`, { headers })),
  );
  const said = streams.map(() => "");
  const ends = streams.map(async ({ body }, index) => {
    for await (const chunk of body ?? []) said[index] += Buffer.from(chunk).toString();
    return "ended";
  });
  const body = { customerId: id, reference: "R-1", currency: "EUR", lines };
  expect((await machine.ask("POST", "/invoices", { body })).status).toBe(201);
  await waitFor("the event", async () => (said.every((text) => text.includes("event: invoice")) ? true : null), {
    timeoutMs: 5_000,
  });
  await site.takeOver();
  const ending = await within("the end", 30_000, machine.supervisor.ended);
  expect(ending).toEqual({ unit: "app", code: exitCodes.fenced });
  // With the last chunk, so that the browser does not take it for a broken answer: none of them rejects.
  expect(await within("the end of the streams", 5_000, Promise.all(ends))).toEqual(streams.map(() => "ended"));
  for (const text of said) expect(text.match(/^event: .*$/gm)).toEqual(["event: invoice"]);
});

test(
  "a machine answers its reports, tells of them, and stops cleanly with the process of reports",
  { timeout },
  async () => {
    await using site = await WholeSite.open();
    const machine = await site.addMachine("one");
    await machine.switchOnUntilReady();
    const { id: customerId }: { id: string } = JSON.parse(
      (await machine.ask("POST", "/customers", { body: ada })).text,
    );
    const lines = [{ description: "Hosting", quantity: 1, unitCents: 100 }];
    const body = { customerId, reference: "R-1", currency: "EUR", lines };
    const { id }: { id: string } = JSON.parse((await machine.ask("POST", "/invoices", { body })).text);
    const { paidAt }: { paidAt: string } = JSON.parse((await machine.ask("POST", `/invoices/${id}/payment`)).text);
    const revenue = await machine.ask("GET", "/revenue");
    expect([revenue.status, JSON.parse(revenue.text)]).toEqual([
      200,
      { months: [{ month: paidAt.slice(0, 7), currency: "EUR", invoices: 1, totalCents: 100 }] },
    ]);
    expect(JSON.parse((await machine.ask("GET", "/load")).text)).toMatchObject({
      reports: { running: null, waiting: 0, reports: [{ name: "revenue-by-month", done: 1 }] },
    });
    const listRunners = () => listProcesses(`"${machine.files.database}"`);
    const [runner = "", ...others] = listRunners();
    expect(others).toEqual([]);
    expect(readFileSync(`/proc/${runner}/environ`, "utf8")).not.toMatch(/LITESTREAM|LIFEBOAT/);
    expect(await machine.stopCleanly()).toContain(0);
    await waitFor("the end of the process of reports", async () => (listRunners().length === 0 ? true : null), {
      timeoutMs: 10_000,
    });
  },
);

/** The processes here whose command lines contain these words. */
function listProcesses(words: string): string[] {
  const ids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  return ids.filter((id) => {
    try {
      return readFileSync(`/proc/${id}/cmdline`, "utf8").includes(words);
    } catch {
      // It has ended meanwhile.
      return false;
    }
  });
}
