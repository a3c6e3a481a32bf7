import { mkdirSync } from "node:fs";
import { join } from "node:path";

import { expect, test } from "vitest";

import { readBounds } from "../../app/load/bounds.ts";
import { lockDirectory } from "../../app/replica/lock.ts";
import { machineFiles } from "../../app/replica/machine.ts";
import { makeTemporaryDirectory } from "../database/temporary-directory.ts";
import { runLifeboat } from "./run-lifeboat.ts";

/** The environment of an app with its data there, as somebody sets it by hand. */
const environmentOf = (directory: string) => ({
  LIFEBOAT_DATA_DIR: join(directory, "data"),
  LIFEBOAT_RUN_DIR: join(directory, "run"),
  LIFEBOAT_MACHINE_ID: "a-machine",
  LIFEBOAT_BOOT_ID: "a-boot",
  LIFEBOAT_BUCKET: "a-bucket",
  LIFEBOAT_BUCKET_ID: "an-id",
  LIFEBOAT_REGION: "eu-central-1",
  LIFEBOAT_API_TOKENS_SHA256: "0".repeat(64),
  LITESTREAM_ACCESS_KEY_ID: "a-key",
  LITESTREAM_SECRET_ACCESS_KEY: "a-secret",
});

test("lifeboat calibrate stores what it prints where the machine's app looks for it", () => {
  using directory = makeTemporaryDirectory();
  const data = join(directory.path, "data");
  mkdirSync(data);
  const { status, stdout, stderr } = runLifeboat(
    ["calibrate", "--round-time", "20ms", "--json"],
    environmentOf(directory.path),
  );
  expect([stderr, status]).toEqual(["", 0]);
  expect(readBounds(machineFiles(data, data).bounds)).toEqual({ bounds: JSON.parse(stdout), fault: null });
});

test("lifeboat calibrate is refused beside the app, and says how to stop and to start it", () => {
  using directory = makeTemporaryDirectory();
  const data = join(directory.path, "data");
  mkdirSync(data);
  using _app = lockDirectory(machineFiles(data, data).lock);
  const { status, stdout, stderr } = runLifeboat(["calibrate"], environmentOf(directory.path));
  expect([status, stdout]).toEqual([1, ""]);
  expect(stderr).toContain(`calibrate: an app serves from ${data}, and the figures would be wrong; stop it first`);
  expect(stderr).toMatch(/systemctl stop lifeboat\.target, and systemctl start lifeboat\.target/);
});

test("a round of no time is refused with 64 before anything is read", () => {
  const { status, stderr } = runLifeboat(["calibrate", "--round-time", "0ms"]);
  expect([status, stderr.split("\n")[0]]).toEqual([64, "lifeboat calibrate: --round-time: it must be 1ms at least"]);
});
