import { execFile } from "node:child_process";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";

import { expect, test } from "vitest";

import { breakDeadLock, withLock } from "../../scripts/setup/lock.mjs";
import { makeSandbox } from "./fake-binary.ts";

const run = promisify(execFile);
const lockModule = new URL("../../scripts/setup/lock.mjs", import.meta.url).href;

/** Adds one to the number in a file, slowly: two at a time would lose an addition. */
const slowIncrement = `
import { readFileSync, writeFileSync } from "node:fs";
import { breakDeadLock, withLock } from ${JSON.stringify(lockModule)};
const [lockPath, counter] = process.argv.slice(1);
await withLock({ lockPath, waitLimitMs: 25000, onWait() {} }, async () => {
  const number = Number(readFileSync(counter, "utf8"));
  await new Promise((resolve) => setTimeout(resolve, 50));
  writeFileSync(counter, String(number + 1));
});
`;

test("processes that all find a dead holder's lock still work one after the other", async () => {
  using sandbox = makeSandbox();
  const [lockPath, counter] = [join(sandbox.path, "lock"), join(sandbox.path, "counter")];
  writeFileSync(lockPath, "999999999 1");
  writeFileSync(counter, "0");
  const args = ["--input-type=module", "--eval", slowIncrement, lockPath, counter];
  await Promise.all(Array.from({ length: 8 }, () => run(process.execPath, args)));
  expect(readFileSync(counter, "utf8")).toBe("8");
  expect(readdirSync(sandbox.path)).toEqual(["counter"]);
});

test.runIf(process.platform === "linux")(
  "a holder whose process id now belongs to another process is dead",
  async () => {
    using sandbox = makeSandbox();
    const lockPath = join(sandbox.path, "lock");
    writeFileSync(lockPath, `${process.ppid} 1`);
    const work = withLock({ lockPath, waitLimitMs: 2_000, onWait: () => undefined }, () => Promise.resolve("worked"));
    expect(await work).toBe("worked");
  },
);

test("a living holder is waited for, named, and not pushed aside at the limit", async () => {
  using sandbox = makeSandbox();
  const lockPath = join(sandbox.path, "lock");
  const waits: string[] = [];
  const inner = () =>
    withLock({ lockPath, waitLimitMs: 500, onWait: (holder) => waits.push(holder) }, () => Promise.resolve("worked"));
  const outer = withLock({ lockPath, waitLimitMs: 500, onWait: () => undefined }, inner);
  await expect(outer).rejects.toThrow(`another set-up (process ${process.pid}); end it, or remove ${lockPath}`);
  expect(waits).toEqual([String(process.pid)]);
});

test("work that fails frees the lock", async () => {
  using sandbox = makeSandbox();
  const lockPath = join(sandbox.path, "lock");
  const failing = withLock({ lockPath, waitLimitMs: 500, onWait: () => undefined }, () =>
    Promise.reject(new Error("no")),
  );
  await expect(failing).rejects.toThrow("no");
  expect(existsSync(lockPath)).toBe(false);
});

test("a lock that somebody took since it was found dead is not broken", async () => {
  using sandbox = makeSandbox();
  const lockPath = join(sandbox.path, "lock");
  const stillThere = await withLock({ lockPath, waitLimitMs: 500, onWait: () => undefined }, async () => {
    breakDeadLock(lockPath);
    return existsSync(lockPath);
  });
  expect(stillThere).toBe(true);
});
