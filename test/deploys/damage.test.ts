import { mkdirSync, rmSync, writeFileSync } from "node:fs";

import { expect, test } from "vitest";

import { deployReportKey } from "../../app/deploys/deploy-report.ts";
import { ScriptedInstaller } from "./scripted-installer.ts";
import { useScene } from "./watch-scene.ts";

// What is damaged, on the machine's disk or in the bucket, must not make a machine deaf: there may be no other way in.
const [old, next, third] = ["1".repeat(64), "2".repeat(64), "3".repeat(64)];
const scene = useScene();
const wish = (deploy: string, sha256 = next) => scene.wish({ deploy, sha256, way: "bucket" });
const damageReport = (deploy: string) => scene.bucket.put(deployReportKey(deploy), "<html>503</html>");

test("a deploy whose report is none is refused, and the next one is carried out", async () => {
  await wish("one");
  await damageReport("one");
  const installer = new ScriptedInstaller(old);
  const watch = scene.open(installer);
  await scene.goOn(watch);
  expect(await scene.readReport("one")).toMatchObject({
    outcome: "refused",
    cause: expect.stringContaining("reports/deploys/one.json is not JSON"),
    next: expect.stringContaining("run what wished for it again"),
  });
  await wish("two");
  await scene.goOn(watch);
  expect(installer.started).toEqual(["2 after 1"]);
});

test("a report that is damaged while its deploy is under way is written again", async () => {
  await wish("one");
  const installer = new ScriptedInstaller(old);
  const watch = scene.open(installer);
  await scene.goOn(watch);
  await damageReport("one");
  installer.finish(0, next);
  await scene.goOn(watch);
  expect(await scene.readReport("one")).toMatchObject({ outcome: "serving" });
});

test("one that was cut off is begun again although its report is damaged", async () => {
  await wish("one");
  const installer = new ScriptedInstaller(old);
  await scene.goOn(scene.open(installer));
  await damageReport("one");
  installer.installation = { state: "gone" };
  await scene.goOn(scene.open(installer), 1);
  expect(installer.started).toEqual(["2 after 1", "2 after 1"]);
});

test("a deploy under way is ended and told although what stands in the place of its wish is none", async () => {
  await wish("one");
  const installer = new ScriptedInstaller(old);
  const watch = scene.open(installer);
  await scene.goOn(watch);
  await scene.bucket.put("wanted-release.json", "no JSON");
  installer.finish(0, next);
  await scene.goOn(watch, 1);
  expect(await scene.readReport("one")).toMatchObject({ outcome: "serving" });
  await expect(watch.goOn(scene.reader)).rejects.toThrow("wanted-release.json");
});

test("a machine whose notes are damaged hears the next wish", async () => {
  await wish("one");
  const installer = new ScriptedInstaller(old);
  await scene.goOn(scene.open(installer));
  installer.finish(0, next);
  await scene.goOn(scene.open(installer));
  writeFileSync(scene.notesFile(), "");
  await scene.goOn(scene.open(installer), 3);
  await wish("two", third);
  await scene.goOn(scene.open(installer), 3);
  expect(installer.started).toEqual(["2 after 1", "3 after 2"]);
});

test("a machine whose notes are damaged ends what its report says that it has begun, and begins it no second time", async () => {
  await wish("one");
  const installer = new ScriptedInstaller(old);
  await scene.goOn(scene.open(installer));
  writeFileSync(scene.notesFile(), "\0\0");
  const watch = scene.open(installer);
  await scene.goOn(watch, 3);
  expect(installer.started).toEqual(["2 after 1"]);
  installer.finish(0, next);
  await scene.goOn(watch);
  expect(await scene.readReport("one")).toMatchObject({ outcome: "serving", previous: old });
});

test("a machine that can note nothing, as on a full disk, refuses and says so; it hears the wish after that", async () => {
  await wish("one");
  const installer = new ScriptedInstaller(old);
  const watch = scene.open(installer);
  mkdirSync(`${scene.notesFile()}.tmp`);
  await scene.goOn(watch, 3);
  expect(installer.started).toEqual([]);
  expect(await scene.readReport("one")).toMatchObject({
    outcome: "refused",
    cause: expect.stringMatching(/cannot be written.*EISDIR/),
    next: expect.stringContaining("df -h"),
  });
  rmSync(`${scene.notesFile()}.tmp`, { recursive: true });
  await wish("two");
  await scene.goOn(watch);
  expect(installer.started).toEqual(["2 after 1"]);
});

test("a deploy that was cut off on a disk that is full by now is told as failed, and the next one is heard", async () => {
  await wish("one");
  const installer = new ScriptedInstaller(old);
  await scene.goOn(scene.open(installer));
  installer.installation = { state: "gone" };
  installer.ready = false;
  mkdirSync(`${scene.notesFile()}.tmp`);
  const watch = scene.open(installer);
  await scene.goOn(watch, 3);
  expect(await scene.readReport("one")).toMatchObject({
    outcome: "failed",
    cause: expect.stringMatching(/cannot be written.*EISDIR/),
  });
  rmSync(`${scene.notesFile()}.tmp`, { recursive: true });
  await wish("two", third);
  await scene.goOn(watch);
  expect(installer.started).toEqual(["2 after 1", "3 after 1"]);
});

test("the services are stopped on a full disk too: what is in the app's database is well", async () => {
  await scene.wish({ deploy: "one", way: "stop", machine: "a" });
  const installer = new ScriptedInstaller(old);
  const watch = scene.open(installer);
  mkdirSync(`${scene.notesFile()}.tmp`);
  await scene.goOn(watch);
  expect(installer.started).toEqual(["stop-services"]);
  installer.finish(0, old);
  await scene.goOn(watch, 3);
  expect(await scene.readReport("one")).toMatchObject({ outcome: "stopped" });
  expect(installer.started).toEqual(["stop-services"]);
});

test("a disk that fills up during a deploy does not cost its outcome", async () => {
  await wish("one");
  const installer = new ScriptedInstaller(old);
  const watch = scene.open(installer);
  await scene.goOn(watch);
  mkdirSync(`${scene.notesFile()}.tmp`);
  installer.finish(101, old, "lifeboat: no space");
  await scene.goOn(watch);
  expect(await scene.readReport("one")).toMatchObject({ outcome: "rolled-back" });
  await scene.goOn(scene.open(installer));
  expect(installer.started).toEqual(["2 after 1"]);
});
