import { expect, test } from "vitest";

import { ScriptedInstaller } from "./scripted-installer.ts";
import { useScene } from "./watch-scene.ts";

// Wishes that are meant for one machine: settings, and a stop. That they are really carried out is shown by
// test/machine/settings.test.ts.
const [old, next] = ["1".repeat(64), "2".repeat(64)];
const scene = useScene();

const bind = (deploy: string, changed: Readonly<Record<string, unknown>>) =>
  scene.wish({ deploy, sha256: next, machine: "a", ...changed });
const settings = { way: "settings", settings: "5".repeat(64), volumeGb: 10 };

test("settings are for the machine that they name: another one leaves them alone, and the next wish is for all", async () => {
  await bind("one", { ...settings, machine: "b" });
  const installer = new ScriptedInstaller(old);
  const watch = scene.open(installer);
  await scene.goOn(watch, 3);
  expect(installer.started).toEqual([]);
  await bind("two", settings);
  await scene.goOn(watch);
  expect(installer.started).toEqual([`take-settings ${"5".repeat(64)} ${next} ${old} 10`]);
  installer.finish(0, next);
  await scene.goOn(watch);
  expect(await scene.readReport("two")).toMatchObject({ outcome: "serving", way: "settings", sha256: next });
});

test("settings with which the machine does not get ready are told as taken back", async () => {
  await bind("one", { ...settings, sha256: old });
  const installer = new ScriptedInstaller(old);
  const watch = scene.open(installer);
  await scene.goOn(watch);
  installer.finish(101, old, "lifeboat: going back to the settings from before");
  await scene.goOn(watch);
  expect(await scene.readReport("one")).toMatchObject({
    outcome: "rolled-back",
    next: expect.stringContaining("again"),
  });
});

test("`up` lets a machine serve whose services somebody has stopped", async () => {
  await bind("one", settings);
  const installer = new ScriptedInstaller(old);
  installer.stopped = true;
  await scene.goOn(scene.open(installer));
  expect(installer.started).toHaveLength(1);
});

test("a stop is carried out by the machine that it names, once, and the next machine does not hear it", async () => {
  await bind("one", { way: "stop", sha256: undefined });
  const installer = new ScriptedInstaller(old);
  const watch = scene.open(installer);
  await scene.goOn(watch);
  installer.finish(0, old);
  await scene.goOn(watch, 3);
  expect(await scene.readReport("one")).toMatchObject({ outcome: "stopped", way: "stop", sha256: old });
  const second = new ScriptedInstaller(old);
  await scene.goOn(scene.open(second, "b"), 3);
  expect([installer.started, second.started]).toEqual([["stop-services"], []]);
});

test("a stop that the machine before has not heard is nothing for the next one", async () => {
  await bind("one", { way: "stop", sha256: undefined });
  const second = new ScriptedInstaller(old);
  await scene.goOn(scene.open(second, "b"), 3);
  expect(second.started).toEqual([]);
});

test("a stop that fails says why, and that the services serve again", async () => {
  await bind("one", { way: "stop", sha256: undefined });
  const installer = new ScriptedInstaller(old);
  const watch = scene.open(installer);
  await scene.goOn(watch);
  installer.finish(
    101,
    old,
    "lifeboat: the app has left no clean stop behind\nlifeboat: the services were started again",
  );
  await scene.goOn(watch);
  expect(await scene.readReport("one")).toMatchObject({
    outcome: "rolled-back",
    cause: "the app has left no clean stop behind; the services were started again",
  });
});

test.each([
  ["a stop", { way: "stop", sha256: undefined }],
  ["settings", settings],
])("%s that nobody waits for any more is refused, however late the machine comes", async (_what, wish) => {
  await bind("one", wish);
  const installer = new ScriptedInstaller(old);
  const watch = scene.open(installer);
  await watch.goOn(scene.through({ silentMs: () => 600_001 }));
  expect(installer.started).toEqual([]);
  expect(await scene.readReport("one")).toMatchObject({
    outcome: "refused",
    cause: expect.stringContaining("nobody waits for it any more"),
    next: expect.stringContaining("again"),
  });
});

test("the silence is counted by the store's clock, from the wish and from what was reported last", async () => {
  await bind("one", { way: "stop", sha256: undefined });
  await scene.reader.readWish();
  await new Promise((resolve) => setTimeout(resolve, 2_100));
  await scene.reader.readWish();
  expect(scene.reader.silentMs()).toBeGreaterThanOrEqual(1_000);
  expect(scene.reader.silentMs()).toBeLessThan(60_000);
  await scene.end("one", {});
  await scene.reader.readReport("one");
  expect(scene.reader.silentMs()).toBeLessThanOrEqual(1_000);
});

test("a stop that was cut off is not begun again when nobody waits for it any more", async () => {
  await bind("one", { way: "stop", sha256: undefined });
  const installer = new ScriptedInstaller(old);
  await scene.goOn(scene.open(installer));
  installer.installation = { state: "gone" };
  const watch = scene.open(installer);
  await watch.goOn(scene.through({ silentMs: () => 600_001 }));
  expect(installer.started).toEqual(["stop-services"]);
  expect(await scene.readReport("one")).toMatchObject({ outcome: "rolled-back" });
});

test("a wish for another machine costs no more calls than no wish", async () => {
  await bind("one", { ...settings, machine: "b" });
  const watch = scene.open(new ScriptedInstaller(old));
  let reads = 0;
  const wishes = scene.through({
    readReport: (deploy) => {
      reads += 1;
      return scene.reader.readReport(deploy);
    },
  });
  for (let look = 0; look < 5; look++) await watch.goOn(wishes);
  expect(reads).toBe(1);
});
