import { createHash } from "node:crypto";

import { afterAll, beforeAll, expect } from "vitest";

import { type DeployReport, deployReportKey } from "../../app/deploys/deploy-report.ts";
import { exitCodes } from "../../app/exit-codes.ts";
import { bringSettings } from "../../scripts/deploy/bring-settings.ts";
import { waitForReport } from "../../scripts/deploy/wait-for-report.ts";
import { claimDeploy, claimPatiently, fetchReport, withdrawWish } from "../../scripts/deploy/wish.ts";
import type { MachineSettings } from "../../scripts/remote/machine-settings.ts";
import { exampleInput } from "../cloud-init/example-input.ts";
import { machineTest } from "../cloud-init/machine-root.ts";
import { ReleaseBucket } from "../cloud-init/release-bucket.ts";
import { stubCommand } from "../cloud-init/stub-command.ts";
import { VolumeFile } from "../cloud-init/volume-file.ts";
import type { Key } from "../infra/limited-key.ts";
import { makeMachineKey, revokeKey } from "./bucket-key.ts";
import { BuiltRelease } from "./built-release.ts";
import { SystemdMachine } from "./systemd-machine.ts";

// One life of one machine that nobody reaches by SSH: every test goes on where the one before it ended.
const timeout = 300_000;
const newToken = "a-second-token";
let release: BuiltRelease;
let bucket: ReleaseBucket;
let cleanup: AsyncDisposableStack;
let machine: SystemdMachine;
let key: Key;
const told: string[] = [];

beforeAll(async () => {
  cleanup = new AsyncDisposableStack();
  release = cleanup.use(await BuiltRelease.make());
  bucket = cleanup.use(await ReleaseBucket.open({ iamApi: true }));
  await release.upload(bucket);
  const volume = cleanup.use(new VolumeFile());
  key = await makeMachineKey(bucket, "machine");
  machine = cleanup.use(await SystemdMachine.switchOn(bucket, release.sha256, volume, { key }));
  // It has done its work, as writeUserData did it.
  await stubCommand(machine.root, "cloud-init", "");
  await machine.waitUntilReady();
}, timeout);
afterAll(() => cleanup.disposeAsync(), timeout);

/** What `pulumi up` does without SSH. */
function bring(changed: Partial<MachineSettings> = {}, sha256 = release.sha256): Promise<string> {
  const { edge, settingsKey } = exampleInput;
  const common = { replicationIntervalMs: 1000, syncsPerMonth: 26_000_000, retentionHours: 24, edge, settingsKey };
  const settings = { ...key, ...common, apiTokensSha256: [machine.tokenSha256], ...changed };
  const upgrade = { sha256, server: machine.serverNumber, settings, volumeGb: 0 };
  return bringSettings(bucket.store, { ...upgrade, tell: (words) => void told.push(words) });
}

/** What `npm run down` does without SSH. */
async function stop(silenceMs = 60_000): Promise<DeployReport> {
  const claim = { way: "stop", machine: machine.serverNumber, by: "a test" } as const;
  const wish = await claimPatiently(bucket.store, claim, () => undefined);
  const answer = await waitForReport(bucket.store, { deploy: wish.deploy, silenceMs, onNews: () => undefined });
  if (answer.kind !== "reported") throw new Error(`the stop was not reported: ${JSON.stringify(answer)}`);
  return answer.report;
}

const readFile = (name: string) => machine.do("cat", `/etc/lifeboat/${name}`);
const current = async () => (await machine.do("readlink", "/opt/lifeboat/current")).trim().slice(-64);

machineTest(
  "only root reads the key of the birth, and settings that change nothing restart nothing",
  { timeout },
  async () => {
    await bring({ retentionHours: exampleInput.retentionHours });
    expect(await machine.do("stat", "-c", "%a %U", "/etc/lifeboat/settings-key")).toBe("600 root\n");
    expect(await readFile("settings-key")).toBe(`${exampleInput.settingsKey}\n`);
    expect(await machine.countStarts()).toBe(1);
  },
);

machineTest("a token comes without a restart, an interval with one", { timeout }, async () => {
  const digest = createHash("sha256").update(newToken).digest("hex");
  await bring({ apiTokensSha256: [machine.tokenSha256, digest], retentionHours: exampleInput.retentionHours });
  expect((await machine.ask("GET", "/customers", undefined, newToken)).status).toBe(200);
  expect(await machine.countStarts()).toBe(1);
  await bring({ retentionHours: 48 });
  expect(await readFile("environment")).toContain("LIFEBOAT_RETENTION_HOURS='48'");
  expect((await machine.ask("GET", "/customers", undefined, newToken)).status).toBe(401);
  expect(await machine.countStarts()).toBe(2);
});

machineTest(
  "a rotated key serves, the old one can be revoked, and the next wish is heard with it",
  { timeout },
  async () => {
    const next = await makeMachineKey(bucket, "next");
    await bring(next);
    await revokeKey(bucket, "machine", key);
    key = next;
    await bring();
    expect(await machine.ask("POST", "/customers", { name: "Ada", email: "ada@example.test" })).toMatchObject({
      status: 201,
    });
  },
);

machineTest(
  "settings that were sealed for another machine are refused before anything is touched",
  { timeout },
  async () => {
    const [before, starts] = [await readFile("environment"), await machine.countStarts()];
    await expect(bring({ settingsKey: "0".repeat(64) })).rejects.toThrow(
      /nothing was touched: the settings in the bucket were sealed with another key[^]*--rebuild/,
    );
    expect([await readFile("environment"), await machine.countStarts()]).toEqual([before, starts]);
  },
);

machineTest("a sick release leaves release and settings as they were, and says why", { timeout }, async () => {
  const before = await readFile("environment");
  const sick = await bucket.putRelease(
    release.change({ "app/main.mjs": `console.log("no luck today"); process.exit(${exitCodes.config});` }),
  );
  await expect(bring({ retentionHours: 72 }, sick)).rejects.toThrow(/what was before serves again[^]*no luck today/);
  expect([await readFile("environment"), await current()]).toEqual([before, release.sha256]);
  expect(await machine.do("ls", "/etc/lifeboat")).toBe("complete\nedge\nenvironment\nsettings-key\ntokens\n");
  await machine.waitUntilReady();
});

machineTest("a release and settings come together", { timeout }, async () => {
  const second = await bucket.putRelease(release.change({ "app/second.txt": "" }));
  await bring({ retentionHours: 96 }, second);
  expect(await readFile("environment")).toContain("LIFEBOAT_RETENTION_HOURS='96'");
  expect(await current()).toBe(second);
});

machineTest("what is meant for another machine is not done, and can be taken back", { timeout }, async () => {
  const wish = await claimDeploy(bucket.store, { way: "stop", machine: "1", by: "a test" });
  await new Promise((resolve) => setTimeout(resolve, 8_000));
  expect(await machine.show("app.service", "ActiveState")).toBe("active");
  expect(await withdrawWish(bucket.store, wish)).toBe(true);
  // Nobody waits for it any more.
  const next = await claimDeploy(bucket.store, { way: "stop", machine: "1", by: "a test" });
  await bucket.put(deployReportKey(next.deploy), JSON.stringify(await fetchReport(bucket.store, wish.deploy)));
  expect(await withdrawWish(bucket.store, next)).toBe(false);
});

machineTest(
  "a stop leaves everything in the bucket, a second one says so too, and `up` serves again",
  { timeout },
  async () => {
    expect(await stop()).toMatchObject({ outcome: "stopped", machine: machine.serverNumber });
    expect(JSON.parse(await machine.do("cat", "/data/mark.json"))).toMatchObject({ cleanStop: expect.anything() });
    expect(await stop()).toMatchObject({ outcome: "stopped" });
    // With another release, which nothing has started until then.
    const third = await bucket.putRelease(release.change({ "app/third.txt": "" }));
    await bring({ retentionHours: 96 }, third);
    expect(await machine.ask("GET", "/ready")).toMatchObject({ status: 200 });
    expect(await current()).toBe(third);
  },
);

machineTest("a stop that cannot end well is told with its cause, and the machine serves on", { timeout }, async () => {
  // Then no sync ends.
  await machine.do("systemctl", "kill", "--signal=STOP", "litestream.service");
  const { status } = await machine.ask("POST", "/customers", { name: "Bob", email: "bob@example.test" });
  // Written or pending: only the disk has it.
  expect([201, 202]).toContain(status);
  expect(await stop(300_000)).toMatchObject({
    outcome: "rolled-back",
    cause: expect.stringContaining("no clean stop"),
    words: expect.stringContaining("started again"),
  });
  await machine.waitUntilReady();
});

machineTest("nobody but root can hold the locks of deploys", { timeout }, async () => {
  const locks = ["/run/lifeboat-bring-up.lock", "/opt/lifeboat/lock"];
  expect(await machine.do("stat", "-c", "%a %U", ...locks)).toBe("600 root\n600 root\n");
});

machineTest("a machine whose bootstrap fails hears wishes after a restart", { timeout }, async () => {
  expect(await machine.show("lifeboat-deploys.service", "UnitFileState")).toBe("enabled");
});
