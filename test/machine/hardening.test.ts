import { chmodSync, existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { afterAll, beforeAll, expect } from "vitest";

import { inspectMachine, renderFindings } from "../../scripts/virtual/inspect-machine.ts";
import { machineTest } from "../cloud-init/machine-root.ts";
import { ReleaseBucket } from "../cloud-init/release-bucket.ts";
import { VolumeFile } from "../cloud-init/volume-file.ts";
import { makeServerDebian } from "./bare-debian.ts";
import { BuiltRelease } from "./built-release.ts";
import { SystemdMachine } from "./systemd-machine.ts";

const timeout = 300_000;
const sshSettings = "/etc/ssh/sshd_config.d/10-lifeboat.conf";

// The kernel is this computer's: no container sets its clock, writes its settings or lowers a score. The rehearsal with a
// virtual machine looks at these.
const ofTheKernel = new Set(["dumps and swap", "time", "order of OOM kills"]);

const cleanup = new AsyncDisposableStack();
let machine: SystemdMachine;
beforeAll(async () => {
  const release = cleanup.use(await BuiltRelease.make());
  const bucket = cleanup.use(await ReleaseBucket.open());
  await release.upload(bucket);
  const volume = cleanup.use(new VolumeFile());
  const system = await makeServerDebian();
  machine = cleanup.use(await SystemdMachine.switchOn(bucket, release.sha256, volume, { system }));
  // The test's own is no pair.
  await machine.do("sh", "-c", "rm -f /etc/ssh/ssh_host_*; ssh-keygen -A && systemctl start ssh systemd-resolved");
  await machine.waitUntilReady();
}, timeout);
afterAll(() => cleanup.disposeAsync(), timeout);

const shell = { run: (script: string) => machine.do("sh", "-c", script) };

machineTest("a machine that serves is hardened, by all that one sees inside of it", { timeout }, async () => {
  const findings = await inspectMachine(shell);
  console.info(renderFindings(findings));
  const own = findings.filter(({ name }) => !ofTheKernel.has(name));
  expect(own.length).toBeGreaterThan(6);
  expect(own.filter(({ faults }) => faults.length > 0)).toEqual([]);
});

machineTest("a helper of the app may say that it is killed before the app", { timeout }, async () => {
  const script = `pid=$(systemctl show --property=MainPID --value app)
    nsenter -t $pid -m -U $(stat -c '--setuid=%u --setgid=%g' /proc/$pid) sh -c 'echo 900 >/proc/self/oom_score_adj; cat /proc/self/oom_score_adj'`;
  expect(await machine.do("sh", "-c", script)).toBe("900\n");
});

machineTest("root comes in with a key, and with nothing else", { timeout }, async () => {
  await machine.do("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "/run/key");
  await machine.do("sh", "-c", "mkdir -p -m 700 /root/.ssh && cp /run/key.pub /root/.ssh/authorized_keys");
  const words = ["ssh", "-F", "none", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no", "root@127.0.0.1"];
  expect(await machine.do(...words.slice(0, -1), "-i", "/run/key", "root@127.0.0.1", "echo in")).toBe("in\n");
  expect(await machine.root.run([...words, "true"])).toMatchObject({
    code: 255,
    stderr: expect.stringMatching(/Permission denied \(publickey\)/),
  });
});

machineTest(
  "settings that sshd refuses are not taken and told, and sshd, the rest and the app go on",
  { timeout },
  async () => {
    const before = await machine.show("ssh.service", "MainPID");
    const file = await machine.do("readlink", "--canonicalize", `/opt/lifeboat/current/system${sshSettings}`);
    const shipped = machine.root.path(file.trim());
    const sound = readFileSync(shipped, "utf8");
    writeFileSync(shipped, "NoSuchSetting yes\n");
    expect((await machine.root.run(["systemctl", "start", "lifeboat-hardening.service"])).code).not.toBe(0);
    expect(readFileSync(machine.root.path(sshSettings), "utf8")).toBe(sound);
    expect(await machine.show("ssh.service", "MainPID")).toBe(before);
    expect(await machine.ask("GET", "/ready")).toMatchObject({ status: 200 });
    expect(await machine.root.run(["/opt/lifeboat/current/bin/serve"])).toMatchObject({
      code: 0,
      stderr: expect.stringContaining(
        "lifeboat: this machine is not hardened; to see why: journalctl -u lifeboat-hard",
      ),
    });
    writeFileSync(shipped, sound);
    await machine.do("systemctl", "start", "lifeboat-hardening.service");
    expect((await machine.root.run(["/opt/lifeboat/current/bin/tell-upkeep"])).stderr).toBe("");
  },
);

machineTest("what a service did not read hinders nothing else, and is tried again", { timeout }, async () => {
  const journal = "/etc/systemd/journald.conf.d/60-lifeboat.conf";
  for (const file of [sshSettings, journal]) rmSync(machine.root.path(file));
  const folder = "/run/systemd/system/ssh.service.d";
  const refusal = "[Service]\\nExecReload=\\nExecReload=/bin/false\\n";
  await machine.do("sh", "-c", `mkdir ${folder} && printf '${refusal}' >${folder}/no.conf && systemctl daemon-reload`);
  const harden = () => machine.root.run(["systemctl", "start", "lifeboat-hardening.service"]);
  expect((await harden()).code).not.toBe(0);
  const said = await machine.do("journalctl", "--no-pager", "--output=cat", "--unit=lifeboat-hardening", "--lines=20");
  expect(said).toContain(`lifeboat: ${sshSettings} is not in use`);
  expect(existsSync(machine.root.path(journal))).toBe(true);
  // The file is there now, and that is not enough.
  expect((await harden()).code).not.toBe(0);
  await machine.do("sh", "-c", `rm -r ${folder} && systemctl daemon-reload`);
  expect((await harden()).code).toBe(0);
});

machineTest("only fixes of security are brought", { timeout }, async () => {
  const said = await machine.do("sh", "-c", "unattended-upgrade --dry-run --debug 2>&1 || :");
  expect(said).toMatch(/Allowed origins are: origin=Debian,codename=trixie-security,label=Debian-Security\n/);
});

machineTest(
  "a flawed package is replaced by the real apt, behind what its service may not do",
  { timeout },
  async () => {
    // By day, whatever the time of this test is.
    const date = machine.root.path("/usr/local/bin/date");
    writeFileSync(date, '#!/bin/sh\nif [ "$*" = +%H ]; then echo 12; else exec /usr/bin/date "$@"; fi\n');
    chmodSync(date, 0o755);
    await machine.do("sh", "-c", readFileSync(join(import.meta.dirname, "mirrors.guest.sh"), "utf8"));
    const starts = await machine.countStarts();
    rmSync(machine.root.path(sshSettings));
    await machine.do("systemctl", "start", "lifeboat-upgrades.service");
    expect(existsSync(machine.root.path(sshSettings))).toBe(true);
    expect(await machine.do("cat", "/usr/bin/flawed", "/etc/flawed", "/usr/bin/plain")).toBe("2\n2\n1\n");
    expect(await machine.do("stat", "-c", "%A %U", "/usr/bin/flawed")).toBe("-rwsr-xr-x root\n");
    expect(await machine.do("id", "--name", "--user", "flawed-2")).toBe("flawed-2\n");
    const told = (await machine.root.run(["/opt/lifeboat/current/bin/tell-upkeep"])).stderr;
    expect(told).toBe("lifeboat: an update waits for the next restart, at night\n");
    expect(await machine.countStarts()).toBe(starts);
  },
);
