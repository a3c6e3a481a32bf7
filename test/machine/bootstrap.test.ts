import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { gzipSync } from "node:zlib";

import { afterAll, beforeAll, expect } from "vitest";

import { applyMigrations } from "../../app/database/migrate.ts";
import { openDatabase } from "../../app/database/open-database.ts";
import { exitCodes } from "../../app/exit-codes.ts";
import { product } from "../../app/service/product.ts";
import { machineTest } from "../cloud-init/machine-root.ts";
import { ReleaseBucket } from "../cloud-init/release-bucket.ts";
import { VolumeFile } from "../cloud-init/volume-file.ts";
import { debians, makeDebian } from "./bare-debian.ts";
import { BuiltRelease } from "./built-release.ts";
import { SystemdMachine } from "./systemd-machine.ts";

const timeout = 300_000;
const longerThanRestartsMs = 6_000;
const quietMs = 2_500;
const firstBootFails = `
import { existsSync, writeFileSync } from "node:fs";
if (!existsSync("/data/tried")) { writeFileSync("/data/tried", ""); process.exit(1); }
await import("./real-boot.mjs");
`;

let release: BuiltRelease;
beforeAll(async () => {
  release = await BuiltRelease.make();
}, timeout);
afterAll(() => release[Symbol.dispose]());

async function openBucket(): Promise<ReleaseBucket> {
  const bucket = await ReleaseBucket.open();
  await release.upload(bucket);
  return bucket;
}

/** Brings a database of the product to an empty machine. Returns the path of its row. */
async function bringDatabase(machine: SystemdMachine): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "lifeboat-brought-"));
  const id = "01990000-0000-7000-8000-000000000001";
  try {
    const db = openDatabase(join(folder, "app.db"), "writer");
    applyMigrations(db, product.migrations);
    db.prepare("insert into customers values (?, 'Grace', 'grace@example.test', '2026-01-01T00:00:00.000Z')").run(id);
    db.close();
    const text = gzipSync(readFileSync(join(folder, "app.db"))).toString("base64");
    await machine.do("sh", "-c", `echo ${text} | base64 -d | gunzip > /var/tmp/app.db`);
  } finally {
    rmSync(folder, { recursive: true });
  }
  expect(await machine.do("lifeboat", "import", "/var/tmp/app.db", "--yes")).toMatch(/every row .*epoch 0002-/);
  return `/customers/${id}`;
}

/** What an admin does over SSH after a mistake: back to the moment before, and forward again. */
async function goBackAndForth(machine: SystemdMachine, before: string): Promise<void> {
  // By then Litestream has seen what came before.
  await sleep(quietMs);
  const moment = new Date().toISOString();
  const { body } = await machine.ask("POST", "/customers", { name: "Mistake", email: "mistake@example.test" });
  const after = `/customers/${String(Object(body).id)}`;
  const statuses = async () => [(await machine.ask("GET", before)).status, (await machine.ask("GET", after)).status];
  expect(await machine.do("lifeboat", "restore", "--at", moment, "--yes")).toMatch(/boot restores it .*0003-/);
  expect(await statuses()).toEqual([200, 404]);
  expect(await machine.do("lifeboat", "restore", "--undo", "--yes")).toMatch(/boot restores it .*0004-/);
  expect(await statuses()).toEqual([200, 200]);
  expect(await machine.do("lifeboat", "verify")).toMatch(/PASS in .*: 1 restored, and sound/);
}

machineTest.each(debians)(
  "a bare image of %s, user-data and a blank volume become a machine; when both are lost, the next one has the rows",
  async (image) => {
    const system = await makeDebian(image);
    await using bucket = await openBucket();
    const customer = { name: "Ada", email: "ada@example.test" };
    const path = await (async () => {
      using volume = new VolumeFile();
      await using machine = await SystemdMachine.switchOn(bucket, release.sha256, volume, { system });
      await machine.waitUntilReady();
      expect(await machine.do("lifeboat", "logs", "app", "--lines", "1000")).toMatch(/ app +info +serving /);
      const brought = await bringDatabase(machine);
      expect(await machine.ask("GET", brought)).toMatchObject({ status: 200, body: { name: "Grace" } });
      const { status, body } = await machine.ask("POST", "/customers", customer);
      expect(status).toBe(201);
      const verified = JSON.parse(await machine.do("lifeboat", "verify", "--json"));
      expect(verified).toMatchObject({ outcome: "pass", notCompared: null, checks: [{ compared: { whole: true } }] });
      const { stdout: told } = await machine.root.run(["lifeboat", "status", "--json"]);
      expect(JSON.parse(told)).toMatchObject({
        machine: machine.serverNumber,
        release: release.sha256,
        ready: { status: "ready" },
        bucket: { fault: null },
        failedUnits: expect.not.arrayContaining(["app.service"]),
        complaints: expect.any(Array),
        rehearsal: { at: null },
        load: { triggers: expect.any(Array) },
      });
      const table = await machine.do("lifeboat", "sql", "select name from customers", "--json");
      expect(JSON.parse(table).rows).toEqual([["Grace"], ["Ada"]]);
      expect(await machine.do("find", "/data", "-user", "root", "-name", "app.db*")).toBe("");
      const made = `/customers/${String(Object(body).id)}`;
      await goBackAndForth(machine, made);
      expect(await machine.do("lifeboat", "epochs")).toMatch(/^0001-.*\n0002-.*\n0003-.*\n0004-.* it serves/m);
      return made;
    })();
    using volume = new VolumeFile();
    await using next = await SystemdMachine.switchOn(bucket, release.sha256, volume, { system });
    expect(await next.do("cat", "/etc/os-release")).toContain(image);
    await next.waitUntilReady();
    expect(await next.ask("GET", path)).toMatchObject({ status: 200, body: customer });
  },
);

machineTest(
  "what crashes comes back alone; a clean stop ends with everything in the bucket, and the next start resumes",
  async () => {
    await using bucket = await openBucket();
    using volume = new VolumeFile();
    await using machine = await SystemdMachine.switchOn(bucket, release.sha256, volume);
    await machine.waitUntilReady();
    for (const [victim, witness] of [
      ["app.service", "litestream.service"],
      ["litestream.service", "app.service"],
    ] as const) {
      const [before, bystander] = [await machine.show(victim, "MainPID"), await machine.show(witness, "MainPID")];
      await machine.do("kill", "-KILL", before);
      await machine.waitForState(victim, "active");
      await machine.waitUntilReady();
      await sleep(longerThanRestartsMs);
      expect(await machine.show(victim, "ActiveState")).toBe("active");
      expect(await machine.show(victim, "MainPID")).not.toBe(before);
      expect(await machine.show(witness, "MainPID")).toBe(bystander);
    }
    await machine.do("systemctl", "stop", "lifeboat.target");
    expect(JSON.parse(await machine.do("cat", "/data/mark.json"))).toMatchObject({
      cleanStop: { txid: expect.any(String) },
    });
    expect(await machine.show("litestream.service", "ActiveState")).toBe("inactive");
    const bounds = await machine.do("lifeboat", "calibrate", "--round-time", "10ms", "--json");
    await machine.do("systemctl", "restart", "lifeboat-bootstrap.service");
    await machine.waitUntilReady();
    expect((await machine.ask("GET", "/load")).body).toMatchObject({ bounds: JSON.parse(bounds), boundsFault: null });
    expect(JSON.parse(await machine.do("cat", "/run/lifeboat/boot-report.json"))).toMatchObject({ outcome: "resumed" });
  },
);

machineTest(
  "a machine that was replaced goes down with its Litestream and stays down, also when it is started again",
  async () => {
    await using bucket = await openBucket();
    using volumeA = new VolumeFile();
    using volumeB = new VolumeFile();
    await using a = await SystemdMachine.switchOn(bucket, release.sha256, volumeA);
    await a.waitUntilReady();
    await using b = await SystemdMachine.switchOn(bucket, release.sha256, volumeB);
    await b.waitUntilReady();
    await a.waitForState("app.service", "failed");
    expect(await a.show("app.service", "ExecMainStatus")).toBe(String(exitCodes.fenced));
    await a.waitForState("lifeboat-down.target", "active");
    const [, look = ""] = /see: (journalctl .*)\)/.exec(await a.show("lifeboat-down.target", "Description")) ?? [];
    expect(await a.do("sh", "-c", look)).toContain('"msg":"fenced"');
    await sleep(longerThanRestartsMs);
    expect(await a.show("litestream.service", "ActiveState")).toBe("inactive");
    expect(await a.show("app.service", "ActiveState")).toBe("failed");

    await a.do("systemctl", "restart", "lifeboat.target");
    await a.waitForState("boot.service", "failed");
    expect(await a.show("boot.service", "ExecMainStatus")).toBe(String(exitCodes.refused));
    await sleep(longerThanRestartsMs);
    expect(await a.show("app.service", "MainPID")).toBe("0");
    expect(await a.show("litestream.service", "MainPID")).toBe("0");
    await b.waitUntilReady();
  },
);

machineTest(
  "a boot that fails once is tried again and then serves; a sick release goes back, a sound one stays",
  async () => {
    await using bucket = await openBucket();
    using volume = new VolumeFile();
    const birth = await bucket.putRelease(
      release.change({ "app/boot.mjs": firstBootFails }, { "app/boot.mjs": "app/real-boot.mjs" }),
    );
    await using machine = await SystemdMachine.switchOn(bucket, birth, volume);
    await machine.waitUntilReady();
    expect(await machine.show("boot.service", "NRestarts")).toBe("1");

    const sick = await bucket.putRelease(release.change({ "app/main.mjs": `process.exit(${exitCodes.config});` }));
    const install = "/usr/local/lib/lifeboat/install-release";
    const { code, stderr } = await machine.root.run([install, sick]);
    expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringContaining("going back") });
    await machine.waitUntilReady();
    expect(await machine.do("readlink", "/opt/lifeboat/current")).toContain(birth);

    await machine.do(install, release.sha256);
    expect(await machine.ask("GET", "/ready")).toMatchObject({ status: 200 });
    expect(await machine.do("readlink", "/opt/lifeboat/current")).toContain(release.sha256);
    expect(await machine.do("systemctl", "show", "--property=ExecStart", "app.service")).toContain(
      "/opt/lifeboat/current/app/main.mjs",
    );
  },
);
