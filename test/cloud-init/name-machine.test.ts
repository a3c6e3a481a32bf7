import { copyFileSync } from "node:fs";
import { join } from "node:path";

import { afterAll, beforeAll, beforeEach, expect } from "vitest";

import { MachineRoot, machineTest } from "./machine-root.ts";

const source = join(import.meta.dirname, "../../cloud-init/release/bin/name-machine");
const onDisk = "0123456789abcdef0123456789abcdef";

let root: MachineRoot;
beforeAll(async () => {
  root = await MachineRoot.open(["sleep", "infinity"]);
  copyFileSync(source, root.path("/usr/local/bin/name-machine"));
}, 60_000);
afterAll(() => root[Symbol.asyncDispose]());
beforeEach(async () => {
  // Firmware and cloud-init as the machine of a test finds them; the disk says the same on every one.
  const script = `mountpoint -q /sys/class || mount -t tmpfs tmpfs /sys/class
    rm -rf /sys/class/* /var/lib/cloud; mkdir -p /sys/class/dmi/id /var/lib/cloud/data; echo ${onDisk} >/etc/machine-id`;
  await root.run(["sh", "-c", script]);
});

async function nameMachine(facts: Record<string, string>): Promise<string> {
  for (const [path, text] of Object.entries(facts)) await root.run(["sh", "-c", `cat >${path}`], `${text}\n`);
  expect(await root.run(["name-machine"])).toEqual({ code: 0, stdout: "", stderr: "" });
  return (await root.run(["cat", "/run/lifeboat-machine"])).stdout;
}

const vendor = "/sys/class/dmi/id/sys_vendor";
const serial = "/sys/class/dmi/id/product_serial";
const instance = "/var/lib/cloud/data/instance-id";
const named = (id: string) => `LIFEBOAT_MACHINE_ID='${id}'\nLIFEBOAT_FORMER_MACHINE_ID='${onDisk}'\n`;

machineTest.each<[string, Record<string, string>, string]>([
  ["at Hetzner the firmware says which server it is", { [vendor]: "Hetzner", [serial]: "4711" }, named("4711")],
  [
    "also when cloud-init still says what the image's server was called",
    { [vendor]: "Hetzner", [serial]: "4712", [instance]: "4711" },
    named("4712"),
  ],
  ["elsewhere cloud-init knows", { [vendor]: "Amazon EC2", [serial]: "x y", [instance]: "i-0abc" }, named("i-0abc")],
  ["without firmware too", { [instance]: "4711" }, named("4711")],
  ["what every machine without a provider is called is no name", { [instance]: "iid-datasource-none" }, ""],
  ["nor is what could be read as something else", { [instance]: "4711' OTHER='1" }, ""],
  ["without a provider the disk's name stays", { [vendor]: "QEMU", [serial]: "4711" }, ""],
])("%s", async (_, facts, lines) => {
  expect(await nameMachine(facts)).toBe(lines);
});
