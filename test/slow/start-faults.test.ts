import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";

import { afterAll, beforeAll, expect, test } from "vitest";

import { within } from "../../app/cli/wait-for.ts";
import { exitCodes } from "../../app/exit-codes.ts";
import { type WholeMachine, WholeSite } from "./whole-machine.ts";

let site: WholeSite;
beforeAll(async () => void (site = await WholeSite.open()));
afterAll(() => site[Symbol.asyncDispose]());

test("a port in use ends the app with its address in the message", async () => {
  const machine = await addBootedMachine("port-in-use");
  const server = createServer().listen(machine.target.port, "127.0.0.1");
  await once(server, "listening");
  const { code, output } = await run(machine, "main");
  server.close();
  expect(output).toContain(`listen EADDRINUSE: address already in use 127.0.0.1:${machine.target.port}`);
  expect(code).toBe(1);
});

test("an app without a boot before it does not start", async () => {
  const machine = await site.addMachine("no-boot");
  const { code, output } = await run(machine, "main");
  expect(output).toContain("start boot first");
  expect(code).toBe(1);
});

test("an app whose mark is gone does not start", async () => {
  const machine = await addBootedMachine("no-mark");
  rmSync(machine.files.mark);
  const { code, output } = await run(machine, "main");
  expect(output).toContain("start boot first");
  expect(code).toBe(1);
});

test("an app whose boot belongs to an earlier start of the system does not start", async () => {
  const machine = await addBootedMachine("old-boot");
  const { code, output } = await run(machine, "main", { LIFEBOAT_BOOT_ID: "another" });
  expect(output).toContain("start boot first");
  expect(code).toBe(1);
});

test("a damaged mark is named, and nothing is guessed from it", async () => {
  const machine = await addBootedMachine("damaged-mark");
  writeFileSync(machine.files.mark, "{");
  const { code, output } = await run(machine, "main");
  expect(output).toContain(`${machine.files.mark} is not JSON`);
  expect(code).toBe(1);
});

test("a second app on the same directory does not start", async () => {
  const machine = await site.addMachine("two-apps");
  await machine.switchOnUntilReady();
  const { code, output } = await run(machine, "main");
  expect(output).toContain("one process on one directory");
  expect(code).toBe(1);
  expect((await machine.ask("GET", "/ready")).status).toBe(200);
});

test("while Litestream does not come up a machine serves what it has, and says of each bucket write that it is not replicated", async () => {
  // A bucket of its own: with an epoch in it, boot would have to restore.
  await using empty = await WholeSite.open();
  const machine = await empty.addMachine("no-litestream");
  const broken = join(machine.files.runDirectory, "broken-litestream");
  writeFileSync(broken, '#!/bin/sh\n[ "$1" = version ] && echo 0.5.17 && exit\necho "nothing works" >&2\nexit 1\n');
  chmodSync(broken, 0o755);
  machine.environment["LIFEBOAT_LITESTREAM"] = broken;
  await machine.switchOnUntilReady();
  const { status, headers } = await machine.ask("POST", "/customers", writeToBucket);
  expect(status).toBe(202);
  expect(headers["durability"]).toBe("disk");
  expect(headers["lifeboat-not-replicated"]).toBe("not in the bucket after 5000 ms");
  expect(machine.readLog("litestream")).toContain("nothing works");
});

test("without flock(1) a boot says what to install", async () => {
  const machine = await site.addMachine("no-flock");
  const { code, output } = await run(machine, "boot", { PATH: "/nowhere" });
  expect(output).toContain("flock(1) cannot be run: install util-linux");
  expect(code).toBe(1);
});

test("a boot without the Litestream binary names its path, and has claimed nothing", async () => {
  const machine = await site.addMachine("no-binary");
  const before = await site.readEpoch();
  const { code, output } = await run(machine, "boot", { LIFEBOAT_LITESTREAM: "/nowhere/litestream" });
  expect(output).toContain("/nowhere/litestream cannot be run");
  expect(code).toBe(1);
  expect(await site.readEpoch()).toEqual(before);
  const { code: laterCode, output: laterOutput } = await run(machine, "boot");
  expect(laterCode, laterOutput).toBe(0);
});

test("a configuration with faults names all of them together, without secrets, and is not tried again", async () => {
  const machine = await site.addMachine("no-config");
  const faulty = {
    LIFEBOAT_BUCKET: "",
    LIFEBOAT_ENDPOINT: "127.0.0.1:8333",
    LIFEBOAT_REGION: "eu central",
    LIFEBOAT_PORT: "70000",
    LIFEBOAT_PATH_STYLE: "yes",
    LITESTREAM_SECRET_ACCESS_KEY: "",
  };
  for (const program of ["boot", "main"] as const) {
    const { code, output } = await run(machine, program, faulty);
    expect(output).toContain("LIFEBOAT_BUCKET is missing");
    expect(output).toContain("LIFEBOAT_ENDPOINT must start with https:// or http://");
    expect(output).toContain("LIFEBOAT_REGION must hold letters, digits and hyphens (got eu central)");
    expect(output).toContain("LIFEBOAT_PORT must be a whole number from 1 to 65535 (got 70000)");
    expect(output).toContain("LIFEBOAT_PATH_STYLE must be true or false (got yes)");
    expect(output).toContain("LITESTREAM_SECRET_ACCESS_KEY is missing");
    expect(output).not.toContain(machine.target.token);
    expect(code).toBe(exitCodes.config);
  }
});

const bootId = "the-only-boot";
const writeToBucket = { headers: { durability: "bucket" }, body: { name: "One", email: "one@example.test" } };

async function addBootedMachine(name: string): Promise<WholeMachine> {
  const machine = await site.addMachine(name);
  const { code, output } = await run(machine, "boot");
  if (code !== 0) throw new Error(`the boot of ${name} ended with ${code}: ${output}`);
  return machine;
}

async function run(machine: WholeMachine, program: "boot" | "main", overrides: Record<string, string> = {}) {
  const env = { LIFEBOAT_BOOT_ID: bootId, ...machine.environment, ...overrides };
  const child = spawn(process.execPath, [join(import.meta.dirname, `../../app/${program}.ts`)], { env });
  let output = "";
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (text: string) => (output += text));
  const ended = Promise.withResolvers<number | null>();
  child.once("close", ended.resolve);
  try {
    return { code: await within(`the end of ${program}`, 60_000, ended.promise), output };
  } finally {
    child.kill("SIGKILL");
  }
}
