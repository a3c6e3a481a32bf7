import { GetObjectCommand } from "@aws-sdk/client-s3";
import { Value } from "typebox/value";
import { afterAll, beforeAll, expect } from "vitest";

import { waitFor } from "../../app/cli/wait-for.ts";
import { type DeployReport, deployReportKey, DeployReportSchema } from "../../app/deploys/deploy-report.ts";
import { exitCodes } from "../../app/exit-codes.ts";
import { machineTest } from "../cloud-init/machine-root.ts";
import { ReleaseBucket } from "../cloud-init/release-bucket.ts";
import { VolumeFile } from "../cloud-init/volume-file.ts";
import type { Key } from "../infra/limited-key.ts";
import { makeMachineKey, revokeKey } from "./bucket-key.ts";
import { BuiltRelease } from "./built-release.ts";
import { SystemdMachine } from "./systemd-machine.ts";

// One life of one machine: every test goes on where the one before it ended.
const timeout = 300_000;
let release: BuiltRelease;
let bucket: ReleaseBucket;
let second: string;
let cleanup: AsyncDisposableStack;
let machine: SystemdMachine;
let key: Key;

beforeAll(async () => {
  cleanup = new AsyncDisposableStack();
  release = cleanup.use(await BuiltRelease.make());
  bucket = cleanup.use(await ReleaseBucket.open({ iamApi: true }));
  await release.upload(bucket);
  second = await bucket.putRelease(release.change({ "app/second.txt": "" }));
  const volume = cleanup.use(new VolumeFile());
  key = await makeMachineKey(bucket, "machine");
  machine = cleanup.use(await SystemdMachine.switchOn(bucket, release.sha256, volume, { key }));
  await machine.waitUntilReady();
}, timeout);
afterAll(() => cleanup.disposeAsync(), timeout);

async function wish(deploy: string, sha256: string, way = "bucket"): Promise<void> {
  const at = new Date().toISOString();
  await bucket.put("wanted-release.json", JSON.stringify({ format: 1, deploy, sha256, at, by: "a test", way }));
}

async function readReport(deploy: string): Promise<DeployReport | null> {
  const { client, bucket: Bucket } = bucket.store;
  const found = await client.send(new GetObjectCommand({ Bucket, Key: deployReportKey(deploy) })).catch(() => null);
  const text = await found?.Body?.transformToString();
  return text === undefined ? null : Value.Parse(DeployReportSchema, JSON.parse(text));
}

async function waitForEnd(deploy: string): Promise<DeployReport> {
  const look = async () => {
    const report = await readReport(deploy);
    return report === null || report.outcome === "working" ? null : report;
  };
  return waitFor(`the end of ${deploy}`, look, { timeoutMs: 120_000, everyMs: 200 }).catch(async (cause: unknown) => {
    const words = await machine.do(
      "sh",
      "-c",
      "journalctl --no-pager --lines=60 --output=cat; cat /var/lib/lifeboat-deploys/* /run/lifeboat-deploys/*",
    );
    throw new Error(words, { cause });
  });
}

const current = async () => (await machine.do("readlink", "/opt/lifeboat/current")).trim().slice(-64);

machineTest("a release that is wanted is installed and served, and its own watcher reports", { timeout }, async () => {
  await wish("one", second);
  expect(await waitForEnd("one")).toMatchObject({
    outcome: "serving",
    sha256: second,
    previous: release.sha256,
    machine: machine.serverNumber,
    cause: null,
  });
  expect(await current()).toBe(second);
  expect(await machine.ask("GET", "/ready")).toMatchObject({ status: 200 });
  const watcher = await machine.show("lifeboat-deploys.service", "MainPID");
  expect(await machine.do("readlink", `/proc/${watcher}/exe`)).toContain(second);
  expect(await machine.do("cat", "/run/lifeboat-deploys/watching")).toBe(`${second}\n`);
});

machineTest("a release that does not get ready goes back, with the services' last words", { timeout }, async () => {
  const sick = await bucket.putRelease(
    release.change({ "app/main.mjs": `console.log("no luck today"); process.exit(${exitCodes.config});` }),
  );
  await wish("two", sick);
  expect(await waitForEnd("two")).toMatchObject({
    outcome: "rolled-back",
    previous: second,
    cause: expect.stringContaining("going back"),
    words: expect.stringContaining("no luck today"),
  });
  expect(await current()).toBe(second);
  await machine.waitUntilReady();
});

machineTest("one that would be deaf is refused before anything stops", { timeout }, async () => {
  const starts = await machine.countStarts();
  const deaf = await bucket.putRelease(release.change({ "app/deploys.mjs": "throw new Error('deaf')" }));
  await wish("three", deaf);
  expect(await waitForEnd("three")).toMatchObject({
    outcome: "refused",
    cause: "this release cannot watch the bucket for deploys",
    words: expect.stringContaining("deaf"),
  });
  expect([await current(), await machine.countStarts()]).toEqual([second, starts]);
});

machineTest("one whose unit is deaf goes back", { timeout }, async () => {
  const unit = release.read("systemd/lifeboat-deploys.service").replace("deploys.mjs", "none.mjs");
  const deaf = await bucket.putRelease(release.change({ "systemd/lifeboat-deploys.service": unit }));
  await wish("four", deaf);
  expect(await waitForEnd("four")).toMatchObject({
    outcome: "rolled-back",
    cause: expect.stringContaining("does not hear the bucket, going back"),
  });
  expect(await current()).toBe(second);
  await machine.waitUntilReady();
});

machineTest(
  "what is not there, is something else or is no hash is refused, and nothing stops",
  { timeout },
  async () => {
    const starts = await machine.countStarts();
    const [gone, other] = ["1".repeat(64), "2".repeat(64)];
    await bucket.put(`releases/${other}.tar.gz`, "something else");
    await wish("five", gone);
    expect(await waitForEnd("five")).toMatchObject({
      outcome: "refused",
      cause: `the bucket has no releases/${gone}.tar.gz`,
    });
    await wish("six", other);
    expect(await waitForEnd("six")).toMatchObject({
      outcome: "refused",
      cause: expect.stringContaining("another SHA-256"),
    });
    await wish("seven", "../../etc/passwd");
    expect(await waitForEnd("seven")).toMatchObject({
      outcome: "refused",
      cause: expect.stringContaining("not a SHA-256"),
    });
    expect([await current(), await machine.countStarts()]).toEqual([second, starts]);
  },
);

machineTest("a rollback goes to the release before, which is still here", { timeout }, async () => {
  await wish("eight", release.sha256);
  expect(await waitForEnd("eight")).toMatchObject({ outcome: "serving", sha256: release.sha256, previous: second });
  expect(await current()).toBe(release.sha256);
});

machineTest("a sick app does not keep the machine from hearing of the release that cures it", { timeout }, async () => {
  await machine.do(
    "sh",
    "-c",
    "mv /opt/lifeboat/current/app/main.mjs /opt/lifeboat/current/app/gone.mjs; systemctl kill --signal=KILL app",
  );
  await waitFor("the app to be down", async () => ((await machine.ask("GET", "/ready")).status === 200 ? null : true), {
    timeoutMs: 20_000,
  });
  await wish("nine", second);
  expect(await waitForEnd("nine")).toMatchObject({ outcome: "serving", previous: release.sha256 });
  await machine.waitUntilReady();
});

machineTest("a watcher that is killed in the middle goes on with the deploy that it began", { timeout }, async () => {
  const third = await bucket.putRelease(release.change({ "app/third.txt": "" }));
  await wish("ten", third);
  await waitFor("the deploy to begin", async () => ((await readReport("ten")) === null ? null : true), {
    timeoutMs: 30_000,
  });
  await machine.do("systemctl", "kill", "--signal=KILL", "lifeboat-deploys.service");
  expect(await waitForEnd("ten")).toMatchObject({ outcome: "serving", sha256: third });
  expect(await current()).toBe(third);
});

machineTest("an installation that is killed is begun again", { timeout }, async () => {
  await wish("eleven", second);
  await waitFor("the deploy to begin", async () => ((await readReport("eleven")) === null ? null : true), {
    timeoutMs: 30_000,
  });
  await machine.do("systemctl", "kill", "--signal=KILL", "lifeboat-deploy.service");
  expect(await waitForEnd("eleven")).toMatchObject({ outcome: "serving", sha256: second });
  await machine.waitUntilReady();
});

machineTest("a deploy waits for whoever brings the machine up, and for a boot, and says so", { timeout }, async () => {
  const holding = machine.do("flock", "/run/lifeboat-bring-up.lock", "sleep", "12");
  await wish("twelve", release.sha256);
  await waitFor(
    "the deploy to wait",
    async () => (await readReport("twelve"))?.cause?.includes("something else brings this machine up") || null,
    { timeoutMs: 11_000, everyMs: 200 },
  );
  expect(await current()).toBe(second);
  await holding;
  expect(await waitForEnd("twelve")).toMatchObject({ outcome: "serving", cause: null });
});

machineTest("a rotated key restarts nothing here, and the next deploy is heard with it", { timeout }, async () => {
  const next = await makeMachineKey(bucket, "next");
  const change = `s,^LITESTREAM_ACCESS_KEY_ID=.*,LITESTREAM_ACCESS_KEY_ID='${next.accessKeyId}',;s,^LITESTREAM_SECRET_ACCESS_KEY=.*,LITESTREAM_SECRET_ACCESS_KEY='${next.secretAccessKey}',`;
  await machine.do("sed", "-i", change, "/etc/lifeboat/environment");
  // As bring-up.sh does.
  await machine.do("/opt/lifeboat/current/bin/serve");
  await revokeKey(bucket, "machine", key);
  await wish("thirteen", second);
  expect(await waitForEnd("thirteen")).toMatchObject({ outcome: "serving", sha256: second });
  expect(await machine.ask("GET", "/ready")).toMatchObject({ status: 200 });
});

machineTest("services that somebody has stopped are not started by a deploy", { timeout }, async () => {
  await machine.do("systemctl", "stop", "lifeboat.target");
  await wish("fourteen", release.sha256);
  expect(await waitForEnd("fourteen")).toMatchObject({ outcome: "refused", cause: expect.stringContaining("stopped") });
  expect([await machine.show("app.service", "ActiveState"), await current()]).toEqual(["inactive", second]);
  await machine.do("systemctl", "start", "lifeboat.target");
  await machine.waitUntilReady();
});
