import { expect, test } from "vitest";

import { isWaiting } from "../../app/deploys/deploy-report.ts";
import { ScriptedInstaller } from "./scripted-installer.ts";
import { useScene } from "./watch-scene.ts";

// A report that a machine writes while somebody else does, or whose answer is lost.
const [old, next] = ["1".repeat(64), "2".repeat(64)];
const settings = { way: "settings", settings: "5".repeat(64), volumeGb: 10 };

const scene = useScene();
const wish = (deploy: string) => scene.wish({ deploy, sha256: next, way: "bucket" });
const bind = (deploy: string, changed: Readonly<Record<string, unknown>>) =>
  scene.wish({ deploy, sha256: next, machine: "a", ...changed });

test("of a machine that begins and whoever takes the wish back at the same moment, one wins", async () => {
  await bind("one", { way: "stop", sha256: undefined });
  const installer = new ScriptedInstaller(old);
  const watch = scene.open(installer);
  const withdrawn = { outcome: "refused", cause: "it was taken back" } as const;
  let isWithdrawn = false;
  const wishes = scene.through({
    putReport: async (report) => {
      if (!isWithdrawn) await scene.end("one", withdrawn);
      isWithdrawn = true;
      return scene.reader.putReport(report);
    },
  });
  for (let look = 0; look < 3; look++) await watch.goOn(wishes);
  expect(installer.started).toEqual([]);
  expect(await scene.readReport("one")).toMatchObject(withdrawn);
});

test("what waits may still be taken back", async () => {
  await bind("one", settings);
  const installer = new ScriptedInstaller(old);
  installer.hindrance = { cause: "the machine boots", limitMs: Infinity };
  const watch = scene.open(installer);
  await scene.goOn(watch);
  expect(isWaiting(await scene.readReport("one"))).toBe(true);
  await scene.end("one", { outcome: "refused", cause: "it was taken back" });
  installer.hindrance = null;
  await scene.goOn(watch, 3);
  expect(installer.started).toEqual([]);
});

test("a report whose answer is lost begins nothing twice", async () => {
  await wish("one");
  const installer = new ScriptedInstaller(old);
  const watch = scene.open(installer);
  const deaf = scene.through({
    putReport: async (report) => {
      await scene.reader.putReport(report);
      throw new Error("no answer");
    },
  });
  await expect(watch.goOn(deaf)).rejects.toThrow("no answer");
  expect(installer.started).toEqual([]);
  await scene.goOn(watch);
  installer.finish(0, next);
  await expect(watch.goOn(deaf)).rejects.toThrow("no answer");
  await scene.goOn(watch);
  expect(installer.started).toEqual(["2 after 1"]);
  expect(await scene.readReport("one")).toMatchObject({ outcome: "serving" });
});

test("what another machine has ended stays ended", async () => {
  await wish("one");
  const first = new ScriptedInstaller(old);
  const frozen = scene.open(first);
  await scene.goOn(frozen);
  const second = new ScriptedInstaller(old);
  const watch = scene.open(second, "b");
  using reader = scene.connect();
  await scene.goOn(watch, 2, reader);
  second.finish(0, next);
  await scene.goOn(watch, 2, reader);
  first.finish(102, next);
  await scene.goOn(frozen);
  expect(await scene.readReport("one")).toMatchObject({ outcome: "serving", machine: "b" });
});
