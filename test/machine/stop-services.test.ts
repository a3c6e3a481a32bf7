import { readFileSync } from "node:fs";
import { join } from "node:path";

import { afterAll, beforeAll, expect } from "vitest";

import { machineTest, type Ran } from "../cloud-init/machine-root.ts";
import { ReleaseBucket } from "../cloud-init/release-bucket.ts";
import { VolumeFile } from "../cloud-init/volume-file.ts";
import { makeMachineKey, revokeKey } from "./bucket-key.ts";
import { BuiltRelease } from "./built-release.ts";
import { SystemdMachine } from "./systemd-machine.ts";

const timeout = 300_000;
const script = readFileSync(join(import.meta.dirname, "../../scripts/remote/stop-services.sh"), "utf8");

let release: BuiltRelease;
beforeAll(async () => {
  release = await BuiltRelease.make();
}, timeout);
afterAll(() => release[Symbol.dispose]());

/** What is sent by `npm run down` over SSH. */
function stopServices(machine: SystemdMachine): Promise<Ran> {
  return machine.root.run(["sh", "-c", script]);
}

machineTest(
  "a stop that ends well leaves everything in the bucket, and a second one says so too",
  { timeout },
  async () => {
    await using bucket = await ReleaseBucket.open();
    await release.upload(bucket);
    using volume = new VolumeFile();
    await using machine = await SystemdMachine.switchOn(bucket, release.sha256, volume);
    await machine.waitUntilReady();
    expect(await machine.ask("POST", "/customers", { name: "Ada", email: "ada@example.test" })).toMatchObject({
      status: 201,
    });
    expect(await stopServices(machine)).toEqual({ code: 0, stdout: "", stderr: "" });
    expect(JSON.parse(await machine.do("cat", "/data/mark.json"))).toMatchObject({
      cleanStop: { txid: expect.any(String) },
    });
    expect(await stopServices(machine)).toEqual({ code: 0, stdout: "", stderr: "" });
    // What `down` and `up` print for whoever wants it to serve again.
    await machine.do(..."systemctl start lifeboat.target".split(" "));
    await machine.waitUntilReady();
  },
);

machineTest(
  "a stop whose last sync fails is no success, and what was stopped is started again",
  { timeout },
  async () => {
    await using bucket = await ReleaseBucket.open({ iamApi: true });
    await release.upload(bucket);
    const key = await makeMachineKey(bucket, "machine");
    using volume = new VolumeFile();
    await using machine = await SystemdMachine.switchOn(bucket, release.sha256, volume, { key });
    await machine.waitUntilReady();
    await revokeKey(bucket, "machine", key);
    expect(await stopServices(machine)).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/no clean stop behind[^]*started again/),
    });
    await machine.waitForState("lifeboat.target", "active");
  },
);
