import { expect, test } from "vitest";

import { ScriptedInstaller } from "./scripted-installer.ts";
import { useScene } from "./watch-scene.ts";

// The order of wishes, machines and restarts, at a real store. That releases are really installed is shown by
// test/machine/deploys.test.ts.
const [old, next] = ["1".repeat(64), "2".repeat(64)];
const scene = useScene();

const boots = { cause: "the machine boots", limitMs: Infinity };
const wish = (deploy: string, sha256 = next, way = "bucket") => scene.wish({ deploy, sha256, way });

test("without a wish nothing happens; a wish is carried out once and reported", async () => {
  const installer = new ScriptedInstaller(old);
  const watch = scene.open(installer);
  await scene.goOn(watch);
  expect(installer.started).toEqual([]);
  await wish("one");
  await scene.goOn(watch);
  expect(await scene.readReport("one")).toMatchObject({
    outcome: "working",
    previous: old,
    endedAt: null,
    machine: "a",
  });
  installer.finish(0, next);
  await scene.goOn(watch, 3);
  expect(await scene.readReport("one")).toMatchObject({ outcome: "serving", sha256: next, previous: old });
  await scene.goOn(scene.open(installer), 3);
  expect(installer.started).toEqual(["2 after 1"]);
});

test("a new machine leaves alone what has ended, so that an old wish undoes nothing", async () => {
  await wish("one");
  const first = new ScriptedInstaller(old);
  const watch = scene.open(first);
  await scene.goOn(watch);
  first.finish(101, old, "lifeboat: it does not get ready, going back to 1");
  await scene.goOn(watch);
  expect(await scene.readReport("one")).toMatchObject({
    outcome: "rolled-back",
    cause: "it does not get ready, going back to 1",
  });
  const second = new ScriptedInstaller("3".repeat(64));
  await scene.goOn(scene.open(second, "b"), 3);
  expect(second.started).toEqual([]);
});

test("a new machine carries out what the one before it has not ended", async () => {
  await wish("one");
  await scene.goOn(scene.open(new ScriptedInstaller(old)));
  const second = new ScriptedInstaller(old);
  const watch = scene.open(second, "b");
  await scene.goOn(watch);
  second.finish(0, next);
  await scene.goOn(watch);
  expect(await scene.readReport("one")).toMatchObject({ outcome: "serving", machine: "b" });
});

test.each([
  ["before the wish, so whoever wished was interrupted: it follows the wish", true, ["2 after 1"]],
  ["after the wish: it stays what it is", false, []],
])("a new machine that was born with what was desired %s", async (_what, isBefore, started) => {
  const desire = () => scene.bucket.put("desired-release.json", JSON.stringify({ sha256: old, previous: null }));
  if (isBefore) await desire();
  // A store's clock has seconds.
  await new Promise((resolve) => setTimeout(resolve, 1_100));
  await wish("one");
  const first = new ScriptedInstaller(old);
  const watch = scene.open(first);
  await scene.goOn(watch);
  first.finish(0, next);
  await scene.goOn(watch);
  await new Promise((resolve) => setTimeout(resolve, 1_100));
  if (!isBefore) await desire();
  const second = new ScriptedInstaller(old);
  await scene.goOn(scene.open(second, "b"), 3);
  expect(second.started).toEqual(started);
});

test("what `up` brings by SSH is left to it, before it has ended and afterwards", async () => {
  await wish("one", next, "ssh");
  const installer = new ScriptedInstaller(old);
  const watch = scene.open(installer);
  await scene.goOn(watch, 3);
  await wish("two");
  await scene.goOn(watch);
  expect(installer.started).toEqual(["2 after 1"]);
});

test("a boot, or somebody who brings the machine up, is waited for, and that is told", async () => {
  await wish("one");
  const installer = new ScriptedInstaller(old);
  installer.hindrance = boots;
  const watch = scene.open(installer);
  await scene.goOn(watch, 3);
  expect(installer.started).toEqual([]);
  expect(await scene.readReport("one")).toMatchObject({ outcome: "working", cause: "the machine boots" });
  installer.hindrance = null;
  await scene.goOn(watch, 1);
  expect(await scene.readReport("one")).toMatchObject({ outcome: "working", cause: null });
  // It was quicker all the same.
  installer.finish(75, old);
  await scene.goOn(watch, 1);
  await scene.goOn(watch, 1);
  expect(installer.started).toEqual(["2 after 1", "2 after 1"]);
});

test("a wish that was replaced while the machine waited is not carried out", async () => {
  await wish("one");
  const installer = new ScriptedInstaller(old);
  installer.hindrance = boots;
  const watch = scene.open(installer);
  await scene.goOn(watch);
  await wish("two", "3".repeat(64));
  installer.hindrance = null;
  await scene.goOn(watch);
  expect(installer.started).toEqual(["3 after 1"]);
});

test("a machine whose services somebody has stopped refuses, and starts nothing", async () => {
  await wish("one");
  const installer = new ScriptedInstaller(old);
  installer.stopped = true;
  await scene.goOn(scene.open(installer));
  expect(await scene.readReport("one")).toMatchObject({
    outcome: "refused",
    cause: expect.stringContaining("stopped"),
  });
  expect(installer.started).toEqual([]);
});

test("what is no hash is refused; what is no wish harms nobody", async () => {
  const installer = new ScriptedInstaller(old);
  const watch = scene.open(installer);
  await wish("one", "../../tmp/evil");
  await scene.goOn(watch);
  expect(await scene.readReport("one")).toMatchObject({
    outcome: "refused",
    cause: expect.stringContaining("not a SHA-256"),
  });
  for (const text of [
    "no JSON",
    "{}",
    JSON.stringify({ format: 1, deploy: "../x", sha256: next, at: "", by: "", way: "bucket" }),
  ]) {
    await scene.bucket.put("wanted-release.json", text);
    await expect(watch.goOn(scene.reader)).rejects.toThrow("wanted-release.json");
  }
  await wish("two");
  await scene.goOn(watch);
  expect(installer.started).toEqual(["2 after 1"]);
});

test("a watcher that is killed goes on with what it began", async () => {
  await wish("one");
  const installer = new ScriptedInstaller(old);
  await scene.goOn(scene.open(installer));
  const watch = scene.open(installer);
  await scene.goOn(watch);
  installer.finish(0, next);
  await scene.goOn(watch);
  expect(installer.started).toEqual(["2 after 1"]);
  expect(await scene.readReport("one")).toMatchObject({ outcome: "serving", previous: old });
});

test("an installation that is cut off is begun again, with the release from before, and not for ever", async () => {
  await wish("one");
  const installer = new ScriptedInstaller(old);
  for (let power = 0; power < 4; power++) {
    await scene.goOn(scene.open(installer), 1);
    // The new release was current when the power went.
    installer.current = next;
    installer.installation = { state: "gone" };
  }
  expect(installer.started).toEqual(["2 after 1", "2 after 1", "2 after 1"]);
  expect(await scene.readReport("one")).toMatchObject({
    outcome: "failed",
    previous: old,
    cause: expect.stringContaining("cut off"),
  });
});

test("what was cut off is not begun again when somebody wishes for something else by then", async () => {
  await wish("one");
  const installer = new ScriptedInstaller(old);
  await scene.goOn(scene.open(installer));
  installer.installation = { state: "gone" };
  await wish("two", "3".repeat(64));
  await scene.goOn(scene.open(installer), 3);
  expect(await scene.readReport("one")).toMatchObject({ outcome: "rolled-back" });
  expect(installer.started).toEqual(["2 after 1", "3 after 1"]);
});

test("an outcome that the store does not take is told as soon as it does", async () => {
  await wish("one");
  const installer = new ScriptedInstaller(old);
  const watch = scene.open(installer);
  await scene.goOn(watch);
  installer.finish(0, next);
  const away = scene.through({ putReport: () => Promise.reject(new Error("the store is away")) });
  await expect(watch.goOn(away)).rejects.toThrow("away");
  installer.clear();
  await scene.goOn(scene.open(installer), 1);
  expect(await scene.readReport("one")).toMatchObject({ outcome: "serving" });
});

test("a machine that cannot come up for ever refuses, and says why", async () => {
  await wish("one");
  const installer = new ScriptedInstaller(old);
  installer.hindrance = { cause: "lifeboat-bootstrap has not ended", limitMs: 0 };
  await scene.goOn(scene.open(installer), 3);
  expect(await scene.readReport("one")).toMatchObject({
    outcome: "refused",
    cause: expect.stringContaining("lifeboat-bootstrap has not ended"),
    next: expect.stringContaining("journalctl -u lifeboat-bootstrap"),
  });
});

test("one that was cut off and then finds the lock taken still knows what ran before", async () => {
  await wish("one");
  const installer = new ScriptedInstaller(old);
  await scene.goOn(scene.open(installer));
  installer.current = next;
  installer.installation = { state: "gone" };
  const watch = scene.open(installer);
  await scene.goOn(watch, 1);
  installer.hindrance = boots;
  installer.finish(75, next);
  await scene.goOn(watch, 3);
  expect(installer.started).toEqual(["2 after 1", "2 after 1"]);
  installer.hindrance = null;
  await scene.goOn(watch, 1);
  expect(installer.started).toEqual(["2 after 1", "2 after 1", "2 after 1"]);
});
