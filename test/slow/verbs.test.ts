import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { text } from "node:stream/consumers";

import { expect, test } from "vitest";

import { waitFor } from "../../app/cli/wait-for.ts";
import { type WholeMachine, WholeSite } from "./whole-machine.ts";

const customer = { name: "Ada", email: "ada@example.test" };
const atBucket = { headers: { durability: "bucket" }, body: customer };

test("on a real machine the verbs tell what it does: well, without a store, without its head, without an app", async () => {
  await using site = await WholeSite.open();
  const machine = await site.addMachine("one");
  await machine.switchOnUntilReady();
  expect((await machine.ask("POST", "/customers", atBucket)).status).toBe(201);

  const { status, stdout, stderr } = await run(machine, "status", "--json");
  expect([status, stderr]).toEqual([0, ""]);
  const told = JSON.parse(stdout);
  expect(told).toMatchObject({
    machine: machine.environment["LIFEBOAT_MACHINE_ID"],
    ready: { status: "ready", state: "living", epoch: await site.readEpoch() },
    boot: { outcome: "claimed", content: "fresh" },
    bucket: { head: { state: "living" }, fault: null, verified: null },
    warnings: [],
  });
  const names = await run(machine, "scripts/lifeboat.ts", "sql", "select name from customers", "--json");
  expect(names.stdout).toContain('[["Ada"]]');
  const byNpm = await run(machine, "scripts/lifeboat.ts", "status", "--json");
  expect(JSON.parse(byNpm.stdout)).toMatchObject({ machine: told.machine, warnings: [] });
  expect((await run(machine, "status")).stdout).toMatch(/^\[PASS\] nothing needs anybody/);

  await site.proxy.goDown();
  const away = await run(machine, "status");
  expect(away.status).toBe(1);
  expect(away.stdout).toMatch(/\[WARN\] bucket .* does not answer/);
  expect(away.stdout).toMatch(/APP +ready/);
  await site.proxy.comeBack();

  await site.takeOver();
  const takenOver = async () =>
    (await run(machine, "status")).stdout.includes("the app does not answer") ? true : null;
  await waitFor("the fence", takenOver, { timeoutMs: 30_000 });
  const sql = await run(machine, "sql", "select count(*) as n from customers");
  expect(sql).toEqual({
    status: 0,
    stdout: "N\n1\n",
    stderr: "the app does not run; this is the database as it lies on the disk\n",
  });
});

/** Beside the proxy of this process, which must go on. */
async function run(machine: WholeMachine, ...words: string[]) {
  const [program = "", ...rest] = words[0]?.endsWith(".ts") === true ? words : ["app/lifeboat.ts", ...words];
  const child = spawn(process.execPath, [join(import.meta.dirname, "../..", program), ...rest], {
    env: machine.environment,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const [[status], stdout, stderr] = await Promise.all([once(child, "close"), text(child.stdout), text(child.stderr)]);
  return { status: Number(status), stdout, stderr };
}
