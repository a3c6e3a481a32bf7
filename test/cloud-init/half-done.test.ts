import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { afterAll, beforeAll, expect } from "vitest";

import { releaseFiles } from "../../scripts/build/release-files.ts";
import { renderSettings } from "../../scripts/remote/machine-settings.ts";
import { exampleInput } from "./example-input.ts";
import { MachineRoot, machineTest } from "./machine-root.ts";
import { ReleaseBucket } from "./release-bucket.ts";
import { stubCommand } from "./stub-command.ts";
import { writeUserData } from "./write-user-data.ts";

// What ends in its middle, as on a full disk, leaves nothing half done.
const bringUp = readFileSync(join(import.meta.dirname, "../../scripts/remote/bring-up.sh"), "utf8");
const untouched = 100;

let bucket: ReleaseBucket;
let birth: string;
let other: string;
beforeAll(async () => {
  bucket = await ReleaseBucket.open();
  const put = (text: string) =>
    bucket.putRelease([...releaseFiles(), { name: "VERSION.json", executable: false, text }]);
  [birth, other] = [await put("birth"), await put("other")];
}, 120_000);
afterAll(() => bucket[Symbol.asyncDispose]());

async function openMachine(): Promise<MachineRoot> {
  const root = await MachineRoot.open(["sleep", "infinity"]);
  await root.openDoor(bucket.port);
  writeUserData(root, bucket.renderUserData(birth));
  await stubCommand(root, "systemctl", 'test "$1" != is-active');
  await stubCommand(root, "cloud-init", "");
  await root.run(["/usr/local/lib/lifeboat/install-release"]);
  return root;
}

machineTest("a release that does not fit on the disk leaves none of its files there", async () => {
  await using root = await openMachine();
  await stubCommand(root, "tar", ": >incoming/half; echo 'tar: No space left on device' >&2; exit 2");
  const place = root.path("/run/lifeboat-deploys");
  mkdirSync(place);
  const { code } = await root.run(["/opt/lifeboat/current/bin/run-deploy", "deploy-release", other, birth]);
  expect(code).toBe(untouched);
  expect(readFileSync(join(place, "words"), "utf8")).toBe("tar: No space left on device\n");
  expect(readdirSync(root.path("/opt/lifeboat")).toSorted()).toEqual(["current", "lock", "releases"]);
});

machineTest("settings of which one file cannot be written change nothing, and say that", async () => {
  await using root = await openMachine();
  const folder = root.path("/etc/lifeboat");
  const read = () => readdirSync(folder).map((name) => [name, readFileSync(join(folder, name), "utf8")]);
  writeFileSync(join(folder, "tokens"), "the tokens from before\n");
  const before = read();
  symlinkSync("/nowhere/edge", join(folder, "edge.next"));
  const settings = renderSettings({
    accessKeyId: "another",
    secretAccessKey: "another-secret",
    apiTokensSha256: exampleInput.apiTokensSha256,
    replicationIntervalMs: 1_000,
    syncsPerMonth: 26_000_000,
    retentionHours: 24,
    edge: exampleInput.edge,
    settingsKey: exampleInput.settingsKey,
  });
  const { code, stderr } = await root.run(
    ["env", "LIFEBOAT_DEPLOY=1", "sh", "-c", `set -- ${birth} 0 ${birth}\n${bringUp}`],
    settings,
  );
  expect({ code, stderr }).toEqual({
    code: untouched,
    stderr: expect.stringContaining("refused: the settings cannot be written"),
  });
  expect(read()).toEqual(before);
});
