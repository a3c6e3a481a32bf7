import { writeFileSync } from "node:fs";
import { join } from "node:path";

import { expect, test } from "vitest";

import { readConfig } from "../app/config.ts";
import { ConfigFault } from "../app/environment.ts";
import { makeTemporaryDirectory } from "./database/temporary-directory.ts";

const digest = "ab".repeat(32);
const least = {
  LIFEBOAT_DATA_DIR: "/data",
  LIFEBOAT_RUN_DIR: "/run/lifeboat",
  LIFEBOAT_BUCKET: "bucket",
  LIFEBOAT_REGION: "eu-central-1",
  LIFEBOAT_BUCKET_ID: "bucket-id",
  LITESTREAM_ACCESS_KEY_ID: "key-id",
  LITESTREAM_SECRET_ACCESS_KEY: "very-secret-words",
  LIFEBOAT_MACHINE_ID: "machine",
  LIFEBOAT_BOOT_ID: "boot",
  LIFEBOAT_API_TOKENS_SHA256: digest,
};

function readFaults(environment: NodeJS.ProcessEnv): string {
  try {
    readConfig(environment);
  } catch (error) {
    if (error instanceof ConfigFault) return error.message;
    throw error;
  }
  throw new Error("this configuration was taken");
}

test("required variables are enough, and the others have defaults", () => {
  const { machine, ...config } = readConfig(least);
  expect(config).toEqual({ host: "127.0.0.1", port: 8080, tokenDigests: [digest], logLevel: "info" });
  expect(machine).toMatchObject({
    replicationIntervalMs: 1_000,
    syncsPerMonth: 26_000_000,
    retentionHours: 24,
    acceptAdvisoryFence: false,
    litestreamPath: "litestream",
  });
  expect(machine.bucket).toMatchObject({ bucket: "bucket", region: "eu-central-1", pathStyle: false });
  expect(machine.bucket).not.toHaveProperty("endpoint");
  expect(machine.files).toMatchObject({ database: "/data/app.db", litestreamConfig: "/run/lifeboat/litestream.yml" });
});

test("the retention is a whole number of hours", () => {
  expect(readConfig({ ...least, LIFEBOAT_RETENTION_HOURS: "72" }).machine.retentionHours).toBe(72);
  for (const hours of ["0", "1.5", "a day"]) {
    expect(readFaults({ ...least, LIFEBOAT_RETENTION_HOURS: hours })).toContain("LIFEBOAT_RETENTION_HOURS must be");
  }
});

test("an endpoint of one's own is addressed by path, unless that is switched off", () => {
  const own = { ...least, LIFEBOAT_ENDPOINT: "http://127.0.0.1:9000" };
  expect(readConfig(own).machine.bucket).toMatchObject({ endpoint: "http://127.0.0.1:9000", pathStyle: true });
  expect(readConfig({ ...own, LIFEBOAT_PATH_STYLE: "false" }).machine.bucket.pathStyle).toBe(false);
});

test("several tokens are given with commas between", () => {
  const other = "cd".repeat(32);
  expect(readConfig({ ...least, LIFEBOAT_API_TOKENS_SHA256: `${digest}, ${other}` }).tokenDigests).toEqual([
    digest,
    other,
  ]);
});

test("this computer's own machine id and boot id are the defaults", () => {
  const { LIFEBOAT_BOOT_ID: _, ...rest } = least;
  expect(readConfig(rest).machine.bootId).toMatch(/^[0-9a-f-]{36}$/);
});

test("all faults are reported together, each with its name", () => {
  const wrong = {
    ...least,
    LIFEBOAT_BUCKET: " ",
    LITESTREAM_SECRET_ACCESS_KEY: undefined,
    LIFEBOAT_PORT: "65536",
    LIFEBOAT_PATH_STYLE: "yes",
    LIFEBOAT_LOG_LEVEL: "loud",
    LIFEBOAT_REPLICATION_INTERVAL_MS: "1.5",
    LIFEBOAT_ENDPOINT: "127.0.0.1:9000",
    LIFEBOAT_REGION: "not a region",
    LIFEBOAT_API_TOKENS_SHA256: "deadbeef",
  };
  const message = readFaults(wrong);
  for (const [name, value] of Object.entries(wrong)) {
    if (value !== Object.entries(least).find(([other]) => other === name)?.[1]) expect(message).toContain(name);
  }
  expect(message.match(/LIFEBOAT_/g)?.length).toBeGreaterThanOrEqual(8);
});

test("an empty environment names all required variables", () => {
  const message = readFaults({});
  for (const name of Object.keys(least)) {
    if (name !== "LIFEBOAT_MACHINE_ID" && name !== "LIFEBOAT_BOOT_ID") expect(message).toContain(`${name} is missing`);
  }
});

test("no message holds a secret, nor a token that was given in place of its digest", () => {
  const message = readFaults({ ...least, LIFEBOAT_PORT: "0", LIFEBOAT_API_TOKENS_SHA256: "the-token-itself" });
  expect(message).toContain("LIFEBOAT_API_TOKENS_SHA256");
  expect(message).not.toMatch(/very-secret-words|the-token-itself/);
});

test.each(["0", "-1", "65536", "80.5", "http", "Infinity"])("port %s is refused", (port) => {
  expect(readFaults({ ...least, LIFEBOAT_PORT: port })).toContain(
    `LIFEBOAT_PORT must be a whole number from 1 to 65535 (got ${port})`,
  );
});

test("an endpoint with a password in it is refused, and the password is not repeated", () => {
  const faults = readFaults({ ...least, LIFEBOAT_ENDPOINT: "https://somebody:hunter2@store.example" });
  expect(faults).toContain("LIFEBOAT_ENDPOINT must hold no user name or password");
  expect(faults).not.toContain("hunter2");
});

test("a heartbeat URL is http or https and without a login, and no fault repeats it", () => {
  const url = "https://ping.example/a-secret?also=this";
  expect(readConfig({ ...least, LIFEBOAT_HEARTBEAT_URL: url }).heartbeatUrl).toBe(url);
  for (const none of [least, { ...least, LIFEBOAT_HEARTBEAT_URL: "" }])
    expect(readConfig(none)).not.toHaveProperty("heartbeatUrl");
  for (const wrong of [
    "ping.example/a-secret",
    "ftp://ping.example/a-secret",
    "/a-secret",
    "https://",
    "http://a-secret@x",
  ]) {
    const faults = readFaults({ ...least, LIFEBOAT_HEARTBEAT_URL: wrong });
    expect(faults, wrong).toContain("LIFEBOAT_HEARTBEAT_URL must ");
    expect(faults).not.toContain("a-secret");
  }
});

test("tokens have names, and two names for one digest are a fault", () => {
  const tokens = `shop:${digest},shop:${"cd".repeat(32)}`;
  expect(readConfig({ ...least, LIFEBOAT_API_TOKENS_SHA256: tokens }).tokenDigests).toEqual(tokens.split(","));
  const faults = readFaults({ ...least, LIFEBOAT_API_TOKENS_SHA256: `shop:${digest},desk:${digest}` });
  expect(faults).toContain("LIFEBOAT_API_TOKENS_SHA256: one digest has two names");
});

test("tokens come from a file instead, which must be there and sound", () => {
  using directory = makeTemporaryDirectory();
  const file = join(directory.path, "tokens");
  const { LIFEBOAT_API_TOKENS_SHA256: _, ...rest } = least;
  expect(readFaults({ ...rest, LIFEBOAT_API_TOKENS_FILE: file })).toContain("LIFEBOAT_API_TOKENS_FILE: ENOENT");
  writeFileSync(file, "the-token-itself");
  const faults = readFaults({ ...rest, LIFEBOAT_API_TOKENS_FILE: file });
  expect(faults).toContain("entry 1");
  expect(faults).not.toContain("the-token-itself");
  writeFileSync(file, `shop:${digest}\n`);
  expect(readConfig({ ...rest, LIFEBOAT_API_TOKENS_FILE: file })).toMatchObject({ tokenDigests: [], tokensFile: file });
  expect(readFaults({ ...least, LIFEBOAT_API_TOKENS_FILE: file })).toContain("are both set");
});
