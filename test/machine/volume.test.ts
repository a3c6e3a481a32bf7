import { afterAll, beforeAll, expect } from "vitest";

import { machineTest } from "../cloud-init/machine-root.ts";
import { ReleaseBucket } from "../cloud-init/release-bucket.ts";
import { VolumeFile } from "../cloud-init/volume-file.ts";
import { BuiltRelease } from "./built-release.ts";
import { SystemdMachine } from "./systemd-machine.ts";

const name = "scsi-0HC_Volume_4711";

let release: BuiltRelease;
beforeAll(async () => {
  release = await BuiltRelease.make();
}, 300_000);
afterAll(() => release[Symbol.dispose]());

machineTest("a volume that was detached and attached again is served from once the app has failed on it", async () => {
  await using bucket = await ReleaseBucket.open();
  await release.upload(bucket);
  using volume = new VolumeFile();
  await using machine = await SystemdMachine.switchOn(bucket, release.sha256, volume);
  await machine.waitUntilReady();
  const customer = { name: "Ada", email: "ada@example.test" };
  const { status, body } = await machine.ask("POST", "/customers", customer);
  expect(status).toBe(201);
  await machine.do("sync", "-f", "/data");
  using again = volume.plugInAgain();
  await machine.do("rm", `/dev/disk/by-id/${name}`);
  await machine.root.addDevice(again.device, [name]);
  await machine.do("systemctl", "kill", "--signal=KILL", "app.service");
  await machine.waitUntilReady();
  expect((await machine.do("findmnt", "-no", "SOURCE", "/data")).trim()).toBe(again.device);
  const path = `/customers/${String(Object(body).id)}`;
  expect(await machine.ask("GET", path)).toMatchObject({ status: 200, body: customer });
  expect((await machine.ask("POST", "/customers", { ...customer, email: "b@example.test" })).status).toBe(201);
});
