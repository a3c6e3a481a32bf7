import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { afterEach, beforeEach, expect, test } from "vitest";

import { waitFor, within } from "../../app/cli/wait-for.ts";
import { Leftovers } from "../../scripts/local/leftovers.ts";
import { Supervisor, type Unit } from "../../scripts/local/supervisor.ts";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "lifeboat-supervisor-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

/** A unit that notes its start in the file of its name and then runs a little program. */
function unit(name: string, program: string): Unit {
  const words = ["-e", `require("fs").appendFileSync(${JSON.stringify(name)}, "x");${program}`];
  return { name, command: { file: process.execPath, words } };
}

const stay = "setInterval(() => {}, 1000);";

function start(oneshot: Unit, services: Unit[]): Supervisor {
  const shared = { environment: {}, directory, logDirectory: directory, leftovers: new Leftovers() };
  return Supervisor.start({ ...shared, units: { oneshot, services }, stayDownCodes: new Set([78, 100]) });
}

function onTerm(name: string, code: number): string {
  const end = `require("fs").appendFileSync("order", "${name} "); process.exit(${code});`;
  return `process.on("SIGTERM", () => { ${end} });${stay}`;
}

function countStarts(name: string): number {
  const path = join(directory, name);
  return existsSync(path) ? readFileSync(path, "utf8").length : 0;
}

function readLog(name: string): string {
  return readFileSync(join(directory, `${name}.log`), "utf8");
}

async function waitForStarts(name: string, count: number): Promise<void> {
  await waitFor(`${count} starts of ${name}`, async () => (countStarts(name) >= count ? true : null), {
    timeoutMs: 20_000,
  });
}

test("services start only after the oneshot has ended with 0", async () => {
  await using _ = start(unit("boot", "setTimeout(() => {}, 500);"), [unit("app", stay)]);
  await waitForStarts("boot", 1);
  expect(countStarts("app")).toBe(0);
  await waitForStarts("app", 1);
});

test.each([78, 100])("a oneshot that ends with %d is not started again and nothing follows", async (code) => {
  await using supervisor = start(unit("boot", `process.exit(${code});`), [unit("app", stay)]);
  expect(await within("the end", 20_000, supervisor.ended)).toEqual({ unit: "boot", code });
  await sleep(600);
  expect([countStarts("boot"), countStarts("app")]).toEqual([1, 0]);
});

test("a unit that fails otherwise is started again", async () => {
  await using _ = start(unit("boot", ""), [unit("app", "process.exit(1);"), unit("other", stay)]);
  await waitForStarts("app", 3);
  expect(countStarts("other")).toBe(1);
});

test("a unit that was killed is started again", async () => {
  await using _ = start(unit("boot", ""), [unit("app", 'process.kill(process.pid, "SIGKILL");')]);
  await waitForStarts("app", 2);
});

test("a service that must stay down takes the others with it", async () => {
  const beat = 'setInterval(() => require("fs").writeFileSync("beat", String(Date.now())), 20);';
  await using supervisor = start(unit("boot", ""), [
    unit("app", "setTimeout(() => process.exit(78), 300);"),
    unit("other", beat),
  ]);
  expect(await within("the end", 20_000, supervisor.ended)).toEqual({ unit: "app", code: 78 });
  await sleep(300);
  const lastBeat = readFileSync(join(directory, "beat"), "utf8");
  await sleep(300);
  expect(readFileSync(join(directory, "beat"), "utf8")).toBe(lastBeat);
});

test("kill9 ends children of children too, and nothing is started again", async () => {
  const grandchild = 'setInterval(() => require("fs").writeFileSync("beat", String(Date.now())), 20)';
  const program = `require("child_process").spawn(process.execPath, ["-e", ${JSON.stringify(grandchild)}]);${stay}`;
  await using supervisor = start(unit("boot", ""), [unit("app", program)]);
  await waitFor("the grandchild", async () => (existsSync(join(directory, "beat")) ? true : null), {
    timeoutMs: 20_000,
  });
  supervisor.kill9();
  await sleep(300);
  const lastBeat = readFileSync(join(directory, "beat"), "utf8");
  await sleep(600);
  expect(readFileSync(join(directory, "beat"), "utf8")).toBe(lastBeat);
  expect(countStarts("app")).toBe(1);
});

test("a paused machine does nothing until it is resumed", async () => {
  const beat = 'setInterval(() => require("fs").appendFileSync("beat", "x"), 20);';
  await using supervisor = start(unit("boot", ""), [unit("app", beat)]);
  await waitForStarts("beat", 2);
  supervisor.pause();
  await sleep(100);
  const beats = countStarts("beat");
  await sleep(300);
  expect(countStarts("beat")).toBe(beats);
  supervisor.resume();
  await waitForStarts("beat", beats + 1);
});

test("a clean stop ends the services in order, with the codes that they chose", async () => {
  await using supervisor = start(unit("boot", ""), [unit("app", onTerm("app", 0)), unit("other", onTerm("other", 3))]);
  await Promise.all([waitForStarts("app", 1), waitForStarts("other", 1)]);
  await sleep(100);
  expect((await supervisor.stop()).map(({ code }) => code)).toEqual([0, 3]);
  expect(readFileSync(join(directory, "order"), "utf8")).toBe("app other ");
});

test("a command that does not exist is reported in the log and tried again", async () => {
  await using _ = start({ name: "boot", command: { file: "no-such-command", words: [] } }, []);
  await waitFor("the log", async () => (readLog("boot").includes("no-such-command could not") ? true : null), {
    timeoutMs: 20_000,
  });
});

test("a oneshot that fails for ever is given up, and nothing follows", { timeout: 90_000 }, async () => {
  await using supervisor = start(unit("boot", "process.exit(1);"), [unit("app", stay)]);
  expect(await within("the end", 80_000, supervisor.ended)).toEqual({ unit: "boot", code: 1 });
  expect(countStarts("boot")).toBe(20);
  expect(countStarts("app")).toBe(0);
});

test("a restart of one unit does not forget another that waits for its own", async () => {
  const late = "process.exit(1);";
  await using supervisor = start(unit("boot", ""), [unit("app", stay), unit("litestream", late)]);
  // Its next start is more than a second away.
  await waitForStarts("litestream", 4);
  await sleep(200);
  await supervisor.restart("app");
  await waitForStarts("app", 2);
  await waitForStarts("litestream", 5);
});
