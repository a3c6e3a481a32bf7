import { expect, test } from "vitest";

import { startSeaweedStore } from "../../scripts/local/seaweed-store.ts";
import { DrillProcess } from "./drill-process.ts";

const timeout = 300_000;

test("a drill passes, reports one object on stdout and leaves nothing behind", { timeout }, async () => {
  using drill = new DrillProcess(["--json", "--seed", "7"]);
  expect(await drill.exited, drill.stderr).toBe(0);
  expect(drill.stdout.trimEnd().split("\n")).toHaveLength(1);
  const report: unknown = JSON.parse(drill.stdout);
  expect(report).toMatchObject({
    ok: true,
    seed: 7,
    lost: { bucket: 0 },
    differing: 0,
    unexpected: 0,
    mixed: { lost: { bucket: 0 } },
    fence: { acknowledgedAfterClaim: 0 },
    failures: [],
  });
  expect(drill.stderr).toContain("RTO ");
  expect(drill.stderr).not.toContain("\u001B");
  expect(drill.listLeftovers()).toEqual([]);
});

test("a drill over its limits exits with 1 and says which", { timeout }, async () => {
  using drill = new DrillProcess(["--max-rto", "1ms", "--max-rpo", "1ms"]);
  expect(await drill.exited).toBe(1);
  expect(drill.stdout).toMatch(/\[FAIL\] RTO \d+ ms is over the limit of 1 ms/);
  expect(drill.listLeftovers()).toEqual([]);
});

test("another store is used through --store and left as it was", { timeout }, async () => {
  await using store = await startSeaweedStore();
  const { accessKeyId, secretAccessKey, endpoint } = store.access;
  const keys = { LITESTREAM_ACCESS_KEY_ID: accessKeyId, LITESTREAM_SECRET_ACCESS_KEY: secretAccessKey };
  using drill = new DrillProcess(["--store", endpoint], keys);
  expect(await drill.exited, drill.stdout).toBe(0);
  expect(drill.listLeftovers()).toEqual([]);
});

test("keys that the store refuses end the drill with 1, the cause and no leftovers", { timeout }, async () => {
  await using store = await startSeaweedStore();
  const keys = { LITESTREAM_ACCESS_KEY_ID: store.access.accessKeyId, LITESTREAM_SECRET_ACCESS_KEY: "wrong" };
  using drill = new DrillProcess(["--json", "--store", store.access.endpoint], keys);
  expect(await drill.exited).toBe(1);
  expect(JSON.parse(drill.stdout)).toMatchObject({ ok: false, failures: [expect.stringMatching(/signature/i)] });
  expect(drill.listLeftovers()).toEqual([]);
});

test.each([
  ["SIGINT", 130, "the store is up"],
  ["SIGTERM", 143, "machine A boots"],
  ["SIGINT", 130, "no bucket write helps"],
  ["SIGINT", 130, "machine B freezes"],
] as const)('%s ends the drill with %d after "%s" and leaves nothing behind', { timeout }, async (name, code, text) => {
  using drill = new DrillProcess([]);
  await drill.waitForOutput(text);
  drill.signal(name);
  expect(await drill.exited).toBe(code);
  expect(drill.listLeftovers()).toEqual([]);
});

test("--keep keeps the directory, says where, and leaves no process", { timeout }, async () => {
  using drill = new DrillProcess(["--keep"]);
  expect(await drill.exited).toBe(0);
  const leftovers = drill.listLeftovers();
  expect(leftovers).toHaveLength(1);
  expect(drill.stdout).toContain(`kept: ${drill.directory}/${leftovers[0]}`);
});

test("a command line that is wrong starts nothing and exits with 64", { timeout }, async () => {
  using drill = new DrillProcess(["--rowz", "5"]);
  expect(await drill.exited).toBe(64);
  expect(drill.stdout).toBe("");
  expect(drill.stderr).toMatch(/--rowz[\s\S]*usage: /);
  expect(drill.listLeftovers()).toEqual([]);
});
