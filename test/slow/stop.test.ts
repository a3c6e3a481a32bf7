import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

import { expect, test } from "vitest";

import { exitCodes } from "../../app/exit-codes.ts";
import { type WholeMachine, WholeSite } from "./whole-machine.ts";

/** TimeoutStopSec of app.service; after it systemd kills. */
const systemdLimitMs = 60_000;

test("8 keep-alive clients, an idle socket and half a header do not delay a stop, and the mark is clean", async () => {
  await using site = await WholeSite.open();
  const machine = await site.addMachine("one");
  await machine.switchOnUntilReady();
  const { port } = machine.target;
  const sockets = [await open(port), await open(port, "GET /up HTTP/1.1\r\nHost: x\r\nX-Slo")];
  const clients = Array.from({ length: 8 }, () => open(port, "GET /up HTTP/1.1\r\nHost: x\r\n\r\n"));
  sockets.push(...(await Promise.all(clients)));
  await sleep(500);
  const startedAt = performance.now();
  expect(await machine.stopCleanly()).toEqual([0, 0]);
  expect(performance.now() - startedAt).toBeLessThan(10_000);
  expect(machine.readMark().cleanStop).not.toBe(null);
});

test("a body that drips for ever costs a stop ten seconds, and the checked sync still has its time", async () => {
  await using site = await WholeSite.open();
  const machine = await site.addMachine("one");
  await machine.switchOnUntilReady();
  const dripping = await open(machine.target.port, halfAPost(machine));
  const drip = setInterval(() => dripping.write(" "), 1_000);
  await sleep(500);
  const startedAt = performance.now();
  expect(await machine.stopCleanly()).toEqual([0, 0]);
  clearInterval(drip);
  expect(performance.now() - startedAt).toBeLessThan(systemdLimitMs / 2);
  expect(machine.readMark().cleanStop).not.toBe(null);
});

test.each(["running", "frozen"])(
  "a machine that is superseded while it stops ends with 102, and its Litestream is killed though it is %s",
  async (litestream) => {
    await using site = await WholeSite.open();
    const machine = await site.addMachine("one");
    await machine.switchOnUntilReady();
    const dripping = await open(machine.target.port, halfAPost(machine));
    const drip = setInterval(() => dripping.write(" "), 1_000);
    await sleep(500);
    const pid = machine.readPid("litestream");
    if (litestream === "frozen") process.kill(pid, "SIGSTOP");
    const stopping = machine.stopCleanly();
    await site.takeOver();
    const [app, ...others] = await stopping;
    clearInterval(drip);
    expect(app).toBe(exitCodes.fenced);
    // Killed: gone already when its turn came, or without a code of its own.
    expect(others.filter((code) => code !== null)).toEqual([]);
    expect(machine.readLog("app")).toContain(`"killedPids":[${pid}]`);
    expect(machine.readMark().cleanStop).toBe(null);
  },
);

async function open(port: number, text = ""): Promise<Socket> {
  const socket = connect(port, "127.0.0.1").on("error", () => undefined);
  await once(socket, "connect");
  if (text !== "") socket.write(text);
  return socket;
}

function halfAPost({ target }: WholeMachine): string {
  const head = ["POST /customers HTTP/1.1", "Host: x", `Authorization: Bearer ${target.token}`];
  return `${[...head, "Content-Type: application/json", "Content-Length: 1000"].join("\r\n")}\r\n\r\n{`;
}
