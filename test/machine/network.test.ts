import { execFileSync } from "node:child_process";
import { readdirSync, writeFileSync } from "node:fs";

import { afterAll, beforeAll, expect } from "vitest";

import { waitFor } from "../../app/cli/wait-for.ts";
import { findRefusedBoot } from "../../scripts/up/boot-reports.ts";
import { machineTest } from "../cloud-init/machine-root.ts";
import { findReadable, metadataUrls, startMetadataService } from "../cloud-init/metadata-service.ts";
import { ReleaseBucket } from "../cloud-init/release-bucket.ts";
import { stubCommand } from "../cloud-init/stub-command.ts";
import { VolumeFile } from "../cloud-init/volume-file.ts";
import { BuiltRelease } from "./built-release.ts";
import { SystemdMachine } from "./systemd-machine.ts";

const timeout = 300_000;

let release: BuiltRelease;
let bucket: ReleaseBucket;
let volume: VolumeFile;
let machine: SystemdMachine;
const cleanup = new AsyncDisposableStack();
beforeAll(async () => {
  release = cleanup.use(await BuiltRelease.make());
  bucket = cleanup.use(await ReleaseBucket.open());
  await release.upload(bucket);
  volume = cleanup.use(new VolumeFile());
  execFileSync("dd", [`of=${volume.device}`, "bs=4096", "seek=7", "conv=notrunc"], {
    input: "somebody's own",
    stdio: "pipe",
  });
  machine = cleanup.use(await SystemdMachine.switchOn(bucket, release.sha256, volume));
}, timeout);
afterAll(() => cleanup.disposeAsync(), timeout);

/** Words that start a command as one more process of a unit, behind what systemd has put before its network. */
function within(unit: string): string[] {
  return ["sh", "-c", `echo $$ >/sys/fs/cgroup/system.slice/${unit}/cgroup.procs && exec "$@"`, "sh"];
}

machineTest(
  "what a bootstrap refuses lies in the bucket, and the commands that it names resolve it",
  { timeout },
  async () => {
    const since = new Date(Date.now() - 120_000);
    await machine.waitForState("lifeboat-bootstrap.service", "failed");
    expect(await machine.show("lifeboat-bootstrap.service", "ExecMainStatus")).toBe("100");
    const report = await findRefusedBoot(bucket.store, since);
    expect(report).toMatchObject({ machine: machine.serverNumber, cause: expect.stringContaining("is not blank") });
    const [, wipe, restart] = /: (dd .*), then on the machine: (systemctl .*)$/.exec(report?.next ?? "") ?? [];
    await machine.do("sh", "-c", `${wipe} && ${restart}`);
    await machine.waitUntilReady();
    expect(JSON.parse(await machine.do("cat", "/run/lifeboat/boot-report.json"))).toMatchObject({
      machine: machine.serverNumber,
    });
    const journal = await machine.do("journalctl", "--no-pager", "--output=cat", "--unit=lifeboat-bootstrap");
    const summary = `lifeboat: release ${release.sha256} was there, volume ${volume.device} ext4 \\S+ is formatted`;
    expect(journal).toMatch(new RegExp(summary));
  },
);

machineTest("no unit reaches the metadata service, nor any user but root", { timeout }, async () => {
  await startMetadataService(machine.root);
  expect(await findReadable(machine.root, ["runuser", "--user", "lifeboat", "--"])).toEqual([]);
  expect(await findReadable(machine.root, [])).toEqual(metadataUrls);
  for (const unit of ["app.service", "litestream.service", "caddy.service", "edge.service"])
    expect(await findReadable(machine.root, within(unit)), unit).toEqual([]);
  // Debian's own, which are switched on, have other names.
  const ours = /^(app|boot|caddy|edge|litestream|lifeboat-.*)\.service$/;
  const units = readdirSync(machine.root.path("/etc/systemd/system")).filter((name) => ours.test(name));
  expect(units.length).toBeGreaterThan(5);
  for (const unit of units) {
    const denied = await machine.show(unit, "IPAddressDeny");
    expect(
      // Systemd prints them in no order.
      denied.split(" ").toSorted().join() === "0.0.0.0/0,::/0" ||
        /^(?=.*fe80::\/64)(?=.*fd00:ec2::254)(?=.*169\.254\.0\.0\/16)/.test(denied),
      `${unit}: ${denied}`,
    ).toBe(true);
  }
});

machineTest("the edge answers on IPv4 and IPv6, and where there is no IPv6 on IPv4", { timeout }, async () => {
  const listReached = async () => {
    const hosts = ["127.0.0.1", "[::1]"];
    const asked = hosts.map(async (host) =>
      (await machine.root.succeeds(["curl", "-sf", "-m", "5", "-o", "/dev/null", `http://${host}/ready`]))
        ? [host]
        : [],
    );
    return (await Promise.all(asked)).flat();
  };
  expect(await listReached()).toEqual(["127.0.0.1", "[::1]"]);
  const folder = "/run/systemd/system/caddy.service.d";
  await machine.do("mkdir", "-p", folder);
  writeFileSync(
    machine.root.path(`${folder}/no-ipv6.conf`),
    "[Service]\nRestrictAddressFamilies=\nRestrictAddressFamilies=AF_INET AF_UNIX AF_NETLINK\n",
  );
  await machine.do("systemctl", "daemon-reload");
  await machine.do("systemctl", "restart", "caddy.service");
  await machine.waitUntilReady();
  expect(await listReached()).toEqual(["127.0.0.1"]);
});

machineTest(
  "an nft that refuses its rules is told as an error, and the edge answers; the command that is named sets them",
  { timeout },
  async ({ skip }) => {
    skip((await machine.root.succeeds(["which", "nft"])) === null, "nft is not installed");
    const listRules = ["nft", "list", "table", "inet", "lifeboat"];
    await machine.do("nft", "delete", "table", "inet", "lifeboat");
    await stubCommand(machine.root, "nft", "echo 'Error: Operation not supported' >&2; exit 1");
    await machine.do("systemctl", "restart", "caddy.service");
    expect(await machine.ask("GET", "/ready")).toMatchObject({ status: 200 });
    await machine.do("rm", "/usr/local/sbin/nft");
    expect(await machine.root.succeeds(listRules)).toBe(null);

    const errors = await machine.do("journalctl", "--unit=caddy", "--priority=err", "--output=cat", "--no-pager");
    const [, command = ""] = /to try again: (.*)$/.exec(errors.trim()) ?? [];
    await machine.do(command);
    expect(await machine.root.succeeds(listRules)).toBe(true);
  },
);

machineTest(
  "a last sync that fails on the way down is told, and stands in no way of the shutdown",
  { timeout },
  async () => {
    await bucket[Symbol.asyncDispose]();
    // What a reboot begins with, without its end: it would take the journal with it.
    const goingDown = "[Unit]\nDefaultDependencies=no\nRequires=shutdown.target\n";
    writeFileSync(machine.root.path("/run/systemd/system/going-down.target"), goingDown);
    await machine.do("systemctl", "daemon-reload");
    await machine.do("systemctl", "start", "--no-block", "--job-mode=replace-irreversibly", "going-down.target");
    const journal = () =>
      machine.do("journalctl", "--no-pager", "--output=cat", "--unit=app", "--unit=lifeboat-down.target");
    const probe = async () => (/Triggering OnFailure/.test(await journal()) ? true : null);
    await waitFor("the app to fail on the way down", probe, { timeoutMs: 90_000, everyMs: 500 });
    expect(await journal()).not.toContain("Failed to enqueue OnFailure");
  },
);
