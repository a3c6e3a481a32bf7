import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";

import { afterEach, beforeAll, beforeEach, expect, test } from "vitest";

import { type DeployReport, deployReportKey } from "../../app/deploys/deploy-report.ts";
import { DeployWatch } from "../../app/deploys/deploy-watch.ts";
import type { Installer } from "../../app/deploys/installer.ts";
import { WishReader } from "../../app/deploys/wish-reader.ts";
import { openBucket } from "../../app/replica/bucket.ts";
import { type SeaweedStore, startSeaweedStore } from "../../scripts/local/seaweed-store.ts";
import { makeBucket } from "../infra/limited-key.ts";
import { ScriptedInstaller, silent } from "./scripted-installer.ts";

// The order of wishes, machines and restarts, at a real store. That releases are really installed is shown by
// test/machine/deploys.test.ts.
const [old, next] = ["1".repeat(64), "2".repeat(64)];

let store: SeaweedStore;
let directory: string;
let bucket: ReturnType<typeof openBucket>;
let reader: WishReader;

beforeAll(async () => {
  store = await startSeaweedStore();
  return () => store[Symbol.asyncDispose]();
}, 60_000);
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "lifeboat-deploys-"));
  const name = basename(directory).toLowerCase();
  await makeBucket(store.access, name);
  bucket = openBucket({ ...store.access, bucket: name });
  reader = new WishReader({ ...store.access, bucket: name });
});
afterEach(() => {
  reader[Symbol.dispose]();
  rmSync(directory, { recursive: true });
});

const open = (installer: Installer, machine = "a") =>
  new DeployWatch({
    installer,
    notesFile: join(directory, `${machine}.json`),
    nameMachine: () => machine,
    log: silent,
  });

const wish = (deploy: string, sha256 = next, way = "bucket") =>
  bucket.put("wanted-release.json", JSON.stringify({ format: 1, deploy, sha256, at: "now", by: "a test", way }));

async function readReport(deploy: string): Promise<DeployReport> {
  return JSON.parse((await bucket.get(deployReportKey(deploy))).text);
}

async function goOn(watch: DeployWatch, times = 2): Promise<void> {
  for (let time = 0; time < times; time++) await watch.goOn(reader);
}

test("without a wish nothing happens; a wish is carried out once and reported", async () => {
  const installer = new ScriptedInstaller(old);
  const watch = open(installer);
  await goOn(watch);
  expect(installer.started).toEqual([]);
  await wish("one");
  await goOn(watch);
  expect(await readReport("one")).toMatchObject({ outcome: "working", previous: old, endedAt: null, machine: "a" });
  installer.finish(0, next);
  await goOn(watch, 3);
  expect(await readReport("one")).toMatchObject({ outcome: "serving", sha256: next, previous: old });
  await goOn(open(installer), 3);
  expect(installer.started).toEqual(["2 after 1"]);
});

test("a new machine leaves alone what has ended, so that an old wish undoes nothing", async () => {
  await wish("one");
  const first = new ScriptedInstaller(old);
  const watch = open(first);
  await goOn(watch);
  first.finish(1, old, "lifeboat: it does not get ready, going back to 1");
  await goOn(watch);
  expect(await readReport("one")).toMatchObject({
    outcome: "rolled-back",
    cause: "it does not get ready, going back to 1",
  });
  const second = new ScriptedInstaller("3".repeat(64));
  await goOn(open(second, "b"), 3);
  expect(second.started).toEqual([]);
});

test("a new machine carries out what the one before it has not ended", async () => {
  await wish("one");
  await goOn(open(new ScriptedInstaller(old)));
  const second = new ScriptedInstaller(old);
  const watch = open(second, "b");
  await goOn(watch);
  second.finish(0, next);
  await goOn(watch);
  expect(await readReport("one")).toMatchObject({ outcome: "serving", machine: "b" });
});

test.each([
  ["before the wish, so whoever wished was interrupted: it follows the wish", true, ["2 after 1"]],
  ["after the wish: it stays what it is", false, []],
])("a new machine that was born with what was desired %s", async (_what, isBefore, started) => {
  const desire = () => bucket.put("desired-release.json", JSON.stringify({ sha256: old, previous: null }));
  if (isBefore) await desire();
  // A store's clock has seconds.
  await new Promise((resolve) => setTimeout(resolve, 1_100));
  await wish("one");
  const first = new ScriptedInstaller(old);
  const watch = open(first);
  await goOn(watch);
  first.finish(0, next);
  await goOn(watch);
  await new Promise((resolve) => setTimeout(resolve, 1_100));
  if (!isBefore) await desire();
  const second = new ScriptedInstaller(old);
  await goOn(open(second, "b"), 3);
  expect(second.started).toEqual(started);
});

test("what `up` brings by SSH is left to it, before it has ended and afterwards", async () => {
  await wish("one", next, "ssh");
  const installer = new ScriptedInstaller(old);
  const watch = open(installer);
  await goOn(watch, 3);
  await wish("two");
  await goOn(watch);
  expect(installer.started).toEqual(["2 after 1"]);
});

test("a boot, or somebody who brings the machine up, is waited for, and that is told", async () => {
  await wish("one");
  const installer = new ScriptedInstaller(old);
  installer.hindrance = "the machine boots";
  const watch = open(installer);
  await goOn(watch, 3);
  expect(installer.started).toEqual([]);
  expect(await readReport("one")).toMatchObject({ outcome: "working", cause: "the machine boots" });
  installer.hindrance = null;
  await goOn(watch, 1);
  expect(await readReport("one")).toMatchObject({ outcome: "working", cause: null });
  // It was quicker all the same.
  installer.finish(75, old);
  await goOn(watch, 1);
  await goOn(watch, 1);
  expect(installer.started).toEqual(["2 after 1", "2 after 1"]);
});

test("a wish that was replaced while the machine waited is not carried out", async () => {
  await wish("one");
  const installer = new ScriptedInstaller(old);
  installer.hindrance = "the machine boots";
  const watch = open(installer);
  await goOn(watch);
  await wish("two", "3".repeat(64));
  installer.hindrance = null;
  await goOn(watch);
  expect(installer.started).toEqual(["3 after 1"]);
});

test("a machine whose services somebody has stopped refuses, and starts nothing", async () => {
  await wish("one");
  const installer = new ScriptedInstaller(old);
  installer.stopped = true;
  await goOn(open(installer));
  expect(await readReport("one")).toMatchObject({ outcome: "refused", cause: expect.stringContaining("stopped") });
  expect(installer.started).toEqual([]);
});

test("what is no hash is refused; what is no wish harms nobody", async () => {
  const installer = new ScriptedInstaller(old);
  const watch = open(installer);
  await wish("one", "../../tmp/evil");
  await goOn(watch);
  expect(await readReport("one")).toMatchObject({
    outcome: "refused",
    cause: expect.stringContaining("not a SHA-256"),
  });
  for (const text of [
    "no JSON",
    "{}",
    JSON.stringify({ format: 1, deploy: "../x", sha256: next, at: "", by: "", way: "bucket" }),
  ]) {
    await bucket.put("wanted-release.json", text);
    await expect(watch.goOn(reader)).rejects.toThrow("wanted-release.json");
  }
  await wish("two");
  await goOn(watch);
  expect(installer.started).toEqual(["2 after 1"]);
});

test("a watcher that is killed goes on with what it began", async () => {
  await wish("one");
  const installer = new ScriptedInstaller(old);
  await goOn(open(installer));
  const watch = open(installer);
  await goOn(watch);
  installer.finish(0, next);
  await goOn(watch);
  expect(installer.started).toEqual(["2 after 1"]);
  expect(await readReport("one")).toMatchObject({ outcome: "serving", previous: old });
});

test("an installation that is cut off is begun again, with the release from before, and not for ever", async () => {
  await wish("one");
  const installer = new ScriptedInstaller(old);
  for (let power = 0; power < 4; power++) {
    await goOn(open(installer), 1);
    // The new release was current when the power went.
    installer.current = next;
    installer.installation = { state: "gone" };
  }
  expect(installer.started).toEqual(["2 after 1", "2 after 1", "2 after 1"]);
  expect(await readReport("one")).toMatchObject({
    outcome: "failed",
    previous: old,
    cause: expect.stringContaining("cut off"),
  });
});

test("what was cut off is not begun again when somebody wishes for something else by then", async () => {
  await wish("one");
  const installer = new ScriptedInstaller(old);
  await goOn(open(installer));
  installer.installation = { state: "gone" };
  await wish("two", "3".repeat(64));
  await goOn(open(installer), 3);
  expect(await readReport("one")).toMatchObject({ outcome: "refused" });
  expect(installer.started).toEqual(["2 after 1", "3 after 1"]);
});

test("an outcome that the store does not take is told as soon as it does", async () => {
  await wish("one");
  const installer = new ScriptedInstaller(old);
  const watch = open(installer);
  await goOn(watch);
  installer.finish(0, next);
  const away = {
    readWish: () => reader.readWish(),
    readReport: (deploy: string) => reader.readReport(deploy),
    isNewerThanDesired: () => reader.isNewerThanDesired(),
    putReport: () => Promise.reject(new Error("the store is away")),
  };
  await expect(watch.goOn(away)).rejects.toThrow("away");
  installer.clear();
  await goOn(open(installer), 1);
  expect(await readReport("one")).toMatchObject({ outcome: "serving" });
});

const bind = (deploy: string, changed: Record<string, unknown>) =>
  bucket.put(
    "wanted-release.json",
    JSON.stringify({ format: 1, deploy, sha256: next, at: "now", by: "a test", machine: "a", ...changed }),
  );
const settings = { way: "settings", settings: "5".repeat(64), volumeGb: 10 };

test("settings are for the machine that they name: another one leaves them alone, and the next wish is for all", async () => {
  await bind("one", { ...settings, machine: "b" });
  const installer = new ScriptedInstaller(old);
  const watch = open(installer);
  await goOn(watch, 3);
  expect(installer.started).toEqual([]);
  await bind("two", settings);
  await goOn(watch);
  expect(installer.started).toEqual([`take-settings ${"5".repeat(64)} ${next} ${old} 10`]);
  installer.finish(0, next);
  await goOn(watch);
  expect(await readReport("two")).toMatchObject({ outcome: "serving", way: "settings", sha256: next });
});

test("settings with which the machine does not get ready are told as taken back", async () => {
  await bind("one", { ...settings, sha256: old });
  const installer = new ScriptedInstaller(old);
  const watch = open(installer);
  await goOn(watch);
  installer.finish(1, old, "lifeboat: going back to the settings from before");
  await goOn(watch);
  expect(await readReport("one")).toMatchObject({ outcome: "rolled-back", next: expect.stringContaining("again") });
});

test("`up` lets a machine serve whose services somebody has stopped", async () => {
  await bind("one", settings);
  const installer = new ScriptedInstaller(old);
  installer.stopped = true;
  await goOn(open(installer));
  expect(installer.started).toHaveLength(1);
});

test("a stop is carried out by the machine that it names, once, and the next machine does not hear it", async () => {
  await bind("one", { way: "stop", sha256: undefined });
  const installer = new ScriptedInstaller(old);
  const watch = open(installer);
  await goOn(watch);
  installer.finish(0, old);
  await goOn(watch, 3);
  expect(await readReport("one")).toMatchObject({ outcome: "stopped", way: "stop", sha256: old });
  const second = new ScriptedInstaller(old);
  await goOn(open(second, "b"), 3);
  expect([installer.started, second.started]).toEqual([["stop-services"], []]);
});

test("a stop that the machine before has not heard is nothing for the next one", async () => {
  await bind("one", { way: "stop", sha256: undefined });
  const second = new ScriptedInstaller(old);
  await goOn(open(second, "b"), 3);
  expect(second.started).toEqual([]);
});

test("a stop that fails says why, and that the services serve again", async () => {
  await bind("one", { way: "stop", sha256: undefined });
  const installer = new ScriptedInstaller(old);
  const watch = open(installer);
  await goOn(watch);
  installer.finish(
    1,
    old,
    "lifeboat: the app has left no clean stop behind\nlifeboat: the services were started again",
  );
  await goOn(watch);
  expect(await readReport("one")).toMatchObject({
    outcome: "rolled-back",
    cause: "the app has left no clean stop behind; the services were started again",
  });
});
