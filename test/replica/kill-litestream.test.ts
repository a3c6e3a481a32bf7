import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { afterEach, beforeEach, expect, test } from "vitest";

import { waitFor } from "../../app/cli/wait-for.ts";
import { killLitestream } from "../../app/replica/litestream.ts";
import { resolveBinary } from "../../scripts/build/resolve-binary.ts";

let directory: string;
let socketPath: string;
const children: ChildProcess[] = [];
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "lb-kill-"));
  socketPath = join(directory, "litestream.sock");
});
afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
  rmSync(directory, { recursive: true });
});

function start(file: string, words: string[]): ChildProcess {
  const child = spawn(file, words, { stdio: "ignore" });
  children.push(child);
  return child;
}

/** The real Litestream, with its control socket and nothing to replicate. */
async function startLitestream(): Promise<ChildProcess> {
  const config = join(directory, "litestream.yml");
  writeFileSync(config, `socket:\n  enabled: true\n  path: ${socketPath}\ndbs: []\n`);
  const child = start(await resolveBinary("litestream"), ["replicate", "-config", config]);
  await waitFor("the socket", async () => ((await answers()) ? true : null), { timeoutMs: 20_000 });
  return child;
}

async function answers(): Promise<boolean> {
  const socket = connect(socketPath);
  try {
    await once(socket, "connect");
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

async function killedBy(child: ChildProcess, kill: () => Promise<number[]>): Promise<unknown> {
  const ended = once(child, "exit");
  expect(await kill()).toEqual([child.pid]);
  return (await ended)[1];
}

test("a Litestream on the socket is killed", async () => {
  const litestream = await startLitestream();
  expect(await killedBy(litestream, () => killLitestream(socketPath))).toBe("SIGKILL");
});

test("a Litestream that is frozen and answers nothing is killed", async () => {
  const litestream = await startLitestream();
  litestream.kill("SIGSTOP");
  expect(await killedBy(litestream, () => killLitestream(socketPath))).toBe("SIGKILL");
});

test("a Litestream that has no socket yet is found by the lock that it runs under", async () => {
  const lockPath = join(directory, "litestream.lock");
  const holder = start("flock", ["--nonblock", "--no-fork", lockPath, "sleep", "60"]);
  await sleep(300);
  expect(await killedBy(holder, () => killLitestream(socketPath, lockPath))).toBe("SIGKILL");
});

test.each([["zero"], ["all"], ["init"], ["itself"], ["a bystander"], ["a fraction"], ["no number"]])(
  "a pid is not trusted alone: %s",
  async (whom) => {
    const bystander = start("sleep", ["60"]);
    const pids: Record<string, unknown> = {
      zero: 0,
      all: -1,
      init: 1,
      itself: process.pid,
      "a bystander": bystander.pid,
      "a fraction": (bystander.pid ?? 0) + 0.5,
      "no number": "x",
    };
    const server = createServer((_request, answer) =>
      answer.end(JSON.stringify({ version: "0.5.17", pid: pids[whom] })),
    ).listen(socketPath);
    await once(server, "listening");
    const lockPath = join(directory, "litestream.lock");
    writeFileSync(lockPath, "");
    expect(await killLitestream(socketPath, lockPath)).toEqual([]);
    expect(bystander.exitCode ?? bystander.signalCode).toBe(null);
    server.closeAllConnections();
    server.close();
  },
);

test("a socket without a listener counts as a dead Litestream", async () => {
  expect(await killLitestream(socketPath)).toEqual([]);
});
