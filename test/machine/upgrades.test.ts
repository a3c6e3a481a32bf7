import { chmodSync, rmSync, writeFileSync } from "node:fs";

import { afterAll, beforeAll, expect } from "vitest";

import { waitFor } from "../../app/cli/wait-for.ts";
import { machineTest } from "../cloud-init/machine-root.ts";
import { ReleaseBucket } from "../cloud-init/release-bucket.ts";
import { VolumeFile } from "../cloud-init/volume-file.ts";
import { BuiltRelease } from "./built-release.ts";
import { SystemdMachine } from "./systemd-machine.ts";

const timeout = 300_000;
const upgrades = "lifeboat-upgrades.service";
const required = "/run/reboot-required";
const note = "/var/lib/lifeboat-upgrades/note";
const stamp = "/var/lib/apt/periodic/upgrade-stamp";
const unattended = "/usr/bin/unattended-upgrade";

const untilTold = "until [ -e /run/told ]; do sleep 0.1; done";

const cleanup = new AsyncDisposableStack();
let bucket: ReleaseBucket;
let machine: SystemdMachine;
beforeAll(async () => {
  const release = cleanup.use(await BuiltRelease.make());
  bucket = cleanup.use(await ReleaseBucket.open());
  await release.upload(bucket);
  machine = cleanup.use(await SystemdMachine.switchOn(bucket, release.sha256, cleanup.use(new VolumeFile())));
  await machine.waitUntilReady();
  rmSync(machine.root.path(unattended), { force: true });
  writeCommand("/usr/local/bin/dpkg", "exit 0");
  writeCommand("/usr/local/bin/date", 'if [ "$*" = +%H ]; then cat /run/hour; else exec /usr/bin/date "$@"; fi');
  // What a reboot begins with; its end would take the machine with it.
  writeFileSync(machine.root.path("/etc/systemd/system/reboot.target"), "[Unit]\nDefaultDependencies=no\n");
  await machine.do("systemctl", "daemon-reload");
}, timeout);
afterAll(() => cleanup.disposeAsync(), timeout);

function writeCommand(path: string, script: string): void {
  writeFileSync(machine.root.path(path), `#!/bin/sh\n${script}\n`);
  chmodSync(machine.root.path(path), 0o755);
}

/** One run, as the timer starts it, by Debian's own service. */
async function upgrade(): Promise<{ result: string; note: string; said: string }> {
  // Whoever starts a unit that is tried again waits for the end of all tries.
  await machine.do("sh", "-c", `systemctl stop ${upgrades} && rm -f ${note} && systemctl start --no-block ${upgrades}`);
  await waitFor("the end of the run", () => machine.root.succeeds(["test", "-e", note]), { timeoutMs: 120_000 });
  const words = ["--no-pager", "--output=cat", `--unit=${upgrades}`, "--unit=apt-daily-upgrade", "--lines=30"];
  return {
    result: await machine.show(upgrades, "Result"),
    note: (await machine.do("cat", note)).trim(),
    said: await machine.do("journalctl", ...words),
  };
}

async function waitUntilStarted(times: number): Promise<void> {
  await waitFor(`start ${times}`, async () => ((await machine.countStarts()) >= times ? true : null), {
    timeoutMs: 60_000,
  });
  await machine.waitUntilReady();
  expect(await machine.countStarts()).toBe(times);
}

machineTest("mirrors that are away stop nothing, are named, and are asked again", { timeout }, async () => {
  const starts = await machine.countStarts();
  writeCommand("/usr/local/bin/apt-get", "echo no mirror >&2; exit 100");
  const told = /^no security updates came, exit-code at 20/;
  expect(await upgrade()).toMatchObject({ result: "exit-code", note: expect.stringMatching(told) });
  const waits = async () => ((await machine.show(upgrades, "SubState")) === "auto-restart" ? true : null);
  await waitFor("another try", waits, { timeoutMs: 10_000 });
  expect(await machine.ask("GET", "/ready")).toMatchObject({ status: 200 });
  const { code, stderr } = await machine.root.run(["/opt/lifeboat/current/bin/serve"]);
  expect({ code, stderr }).toEqual({
    code: 0,
    stderr: expect.stringMatching(/no security updates came, exit-code at /),
  });
  expect(await machine.countStarts()).toBe(starts);
});

machineTest("what a machine lacks is installed once a mirror answers", { timeout }, async () => {
  const made = `printf '#!/bin/sh\\necho upgraded\\n' >${unattended}; chmod +x ${unattended}`;
  writeCommand("/usr/local/bin/apt-get", `case "$*" in *install*unattended-upgrades*) ${made};; esac`);
  expect(await upgrade()).toMatchObject({
    result: "success",
    note: expect.stringMatching(/^success at 20/),
    said: expect.stringContaining("upgraded"),
  });
  expect((await machine.root.run(["/opt/lifeboat/current/bin/tell-upkeep"])).stderr).toBe("");
});

machineTest("an upgrade that fails is told, although Debian's service ends well", { timeout }, async () => {
  rmSync(machine.root.path(stamp));
  writeCommand(unattended, "echo a package refuses; exit 1");
  expect(await upgrade()).toMatchObject({
    result: "exit-code",
    note: expect.stringMatching(/^no security updates came/),
    said: expect.stringMatching(/a package refuses[^]*the upgrade failed/),
  });
  writeCommand(unattended, "echo upgraded");
  expect(await upgrade()).toMatchObject({ result: "success", note: expect.stringMatching(/^success at 20/) });
});

machineTest("by day, or while somebody brings the machine up, no update restarts it", { timeout }, async () => {
  writeFileSync(machine.root.path(required), "");
  writeFileSync(machine.root.path("/run/hour"), "05\n");
  expect((await upgrade()).said).toContain("which waits for the night");
  writeFileSync(machine.root.path("/run/hour"), "04\n");
  const held = machine.root.run(["flock", "/run/lifeboat-bring-up.lock", "sh", "-c", untilTold]);
  await waitFor("the lock", () => machine.root.succeeds(["sh", "-c", "! flock -n /run/lifeboat-bring-up.lock true"]), {
    timeoutMs: 10_000,
  });
  expect((await upgrade()).said).toContain("waits for whoever brings this machine up");
  expect(await machine.show("reboot.target", "ActiveState")).toBe("inactive");
  expect(await machine.ask("GET", "/ready")).toMatchObject({ status: 200 });
  writeFileSync(machine.root.path("/run/told"), "");
  await held;
});

machineTest(
  "at night nothing restarts it if the last sync fails: it serves again, until another night",
  { timeout },
  async () => {
    const starts = await machine.countStarts();
    await machine.do("systemctl", "stop", "litestream.service");
    expect(await upgrade()).toMatchObject({
      result: "exit-code",
      note: expect.stringMatching(/^the restart for an update failed at 20/),
      said: expect.stringContaining("the app has left no clean stop behind"),
    });
    await machine.waitUntilReady();
    expect(await machine.countStarts()).toBe(starts + 1);
    expect(await machine.show("reboot.target", "ActiveState")).toBe("inactive");
    expect(await machine.show(upgrades, "ActiveState")).toBe("failed");
  },
);

machineTest("a restart that is cut off does not leave the app down", { timeout }, async () => {
  const starts = await machine.countStarts();
  const slow = machine.root.path("/usr/local/bin/grep");
  writeCommand(
    "/usr/local/bin/grep",
    'case "$*" in *cleanStop*) kill -9 $PPID; sleep 600 ;; *) exec /bin/grep "$@" ;; esac',
  );
  // PID 1 is asked to go down by nobody.
  await upgrade();
  rmSync(slow);
  await waitUntilStarted(starts + 1);
  expect(await machine.show("reboot.target", "ActiveState")).toBe("inactive");
});

machineTest("at night it restarts, after a stop with everything in the bucket", { timeout }, async () => {
  expect(await machine.ask("POST", "/customers", { name: "Ada", email: "ada@example.test" })).toMatchObject({
    status: 201,
  });
  writeFileSync(machine.root.path("/run/hour"), "03\n");
  expect(await upgrade()).toMatchObject({
    result: "success",
    said: expect.stringContaining("restarting for an update"),
  });
  expect(await machine.show("reboot.target", "ActiveState")).toBe("active");
  expect(await machine.show("app.service", "ActiveState")).toBe("inactive");
  expect(JSON.parse(await machine.do("cat", "/data/mark.json"))).toMatchObject({
    cleanStop: { txid: expect.any(String) },
  });
  await machine.do("systemctl", "stop", "reboot.target");
  await machine.do("systemctl", "start", "lifeboat.target");
  await machine.waitUntilReady();
});

machineTest("whoever shuts it down gets a clean stop: the app first, then Litestream", { timeout }, async () => {
  const goingDown = "[Unit]\nDefaultDependencies=no\nRequires=shutdown.target\nAfter=shutdown.target\n";
  writeFileSync(machine.root.path("/run/systemd/system/going-down.target"), goingDown);
  await machine.do("systemctl", "daemon-reload");
  const began = performance.now();
  await machine.do("systemctl", "start", "--job-mode=replace-irreversibly", "going-down.target");
  expect(performance.now() - began).toBeLessThan(60_000);
  expect(JSON.parse(await machine.do("cat", "/data/mark.json"))).toMatchObject({
    cleanStop: { txid: expect.any(String) },
  });
  const journal = await machine.do("journalctl", "--no-pager", "--output=cat", "--unit=app", "--unit=litestream");
  const [app, litestream] = ["Stopped app.service", "Stopping litestream.service"].map((words) =>
    journal.lastIndexOf(words),
  );
  expect(app).toBeGreaterThan(0);
  expect(app).toBeLessThan(litestream ?? 0);
});
