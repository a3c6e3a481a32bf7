import { execFile, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { promisify } from "node:util";

import { ListObjectVersionsCommand, type S3Client } from "@aws-sdk/client-s3";
import { afterAll, beforeAll, expect, test } from "vitest";

import { openDatabase } from "../../app/database/open-database.ts";
import { openBucket } from "../../app/replica/bucket.ts";
import { litestreamConfig } from "../../app/replica/litestream-config.ts";
import { machineFiles } from "../../app/replica/machine.ts";
import { makeSentinel } from "../../app/replica/sentinel.ts";
import { machinePolicy } from "../../infra/access-policy.ts";
import { renderRestoreCommand } from "../../infra/recovery-card.ts";
import { resolveBinary } from "../../scripts/binaries/resolve-binary.ts";
import { appSources, bundleApp } from "../../scripts/build/bundle-app.ts";
import { Leftovers } from "../../scripts/drill/leftovers.ts";
import { Machine, type Site } from "../../scripts/drill/machine.ts";
import { type SeaweedStore, startSeaweedStore } from "../../scripts/drill/seaweed-store.ts";
import { waitFor } from "../../scripts/verb/wait-for.ts";
import { makeBucket, makeLimitedKey, openS3, type Key } from "./limited-key.ts";

const bucket = "boats";
const retiring = "0009-0a0b0c0d";
const startLimitMs = 60_000;

let directory: string;
let store: SeaweedStore;
let site: Site;
let owner: S3Client;
let machineKey: Key;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "lifeboat-rights-"));
  store = await startSeaweedStore({ iamApi: true });
  owner = openS3(store.access, store.access);
  await makeBucket(store.access, bucket);
  const { bucketId } = await makeSentinel(openBucket({ ...store.access, bucket }), "id-of-the-bucket");
  machineKey = await makeLimitedKey(store.access, "machine", machinePolicy(bucket, ["127.0.0.1/32"]));
  const app = await bundleApp(appSources, join(directory, "app"));
  const litestream = await resolveBinary("litestream");
  const config = { ...store.access, ...machineKey, bucket };
  site = { directory, app, litestream, leftovers: new Leftovers(), bucket: config, bucketId, token: "token" };
}, 120_000);

afterAll(async () => {
  await store[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true, force: true, maxRetries: 20 });
});

async function send(machine: Machine, path: string, body?: unknown): Promise<Response> {
  return fetch(`http://127.0.0.1:${machine.target.port}${path}`, {
    method: body === undefined ? "GET" : "POST",
    headers: {
      authorization: `Bearer ${machine.target.token}`,
      "content-type": "application/json",
      durability: "bucket",
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
}

test(
  "with the rights that the machine gets, it replicates, dies, and comes back with everything",
  { timeout: 120_000 },
  async () => {
    const customer = { name: "Ada", email: "ada@example.test" };
    let id: unknown;
    {
      await using machine = await Machine.switchOn("a", site);
      await machine.waitUntilReady(startLimitMs);
      const created = await send(machine, "/customers", customer);
      expect([created.status, created.headers.get("durability")]).toEqual([201, "bucket"]);
      ({ id } = Object(await created.json()));
      machine.supervisor.kill9();
      await machine.destroyDisk();
    }
    await using machine = await Machine.switchOn("b", site);
    await machine.waitUntilReady(startLimitMs);
    expect(await (await send(machine, `/customers/${String(id)}`)).json()).toMatchObject(customer);
    expect((await send(machine, "/customers", { ...customer, email: "bea@example.test" })).status).toBe(201);
    expect(await machine.readLastWords()).not.toMatch(/AccessDenied|\b403\b/);
  },
);

test(
  "with the same rights Litestream compacts, and deletes what its retention no longer needs",
  { timeout: 60_000 },
  async () => {
    const machine = {
      ...site,
      machineId: "c",
      bootId: "c",
      files: machineFiles(join(directory, "data"), join(directory, "run")),
    };
    const config = litestreamConfig(
      {
        ...machine,
        litestreamPath: site.litestream,
        replicationIntervalMs: 100,
        retentionHours: 24,
        acceptAdvisoryFence: false,
      },
      retiring,
    );
    mkdirSync(machine.files.dataDirectory);
    mkdirSync(machine.files.runDirectory);
    const hurried = {
      levels: [{ interval: "1s" }, { interval: "2s" }],
      "l0-retention": "1s",
      "l0-retention-check-interval": "1s",
    };
    writeFileSync(machine.files.litestreamConfig, JSON.stringify({ ...config, ...hurried }));
    const database = openDatabase(machine.files.database, "writer");
    database.exec("CREATE TABLE rows (id INTEGER PRIMARY KEY)");
    const { accessKeyId, secretAccessKey } = site.bucket;
    const litestream = spawn(site.litestream, ["replicate", "-config", machine.files.litestreamConfig], {
      env: { LITESTREAM_ACCESS_KEY_ID: accessKeyId, LITESTREAM_SECRET_ACCESS_KEY: secretAccessKey },
      stdio: ["ignore", "ignore", "pipe"],
    });
    const said = text(litestream.stderr);
    const insert = database.prepare("INSERT INTO rows DEFAULT VALUES");
    await waitFor(
      "Litestream to delete a file",
      async () => {
        insert.run();
        const Prefix = `epochs/${retiring}/0000/`;
        const { DeleteMarkers = [] } = await owner.send(new ListObjectVersionsCommand({ Bucket: bucket, Prefix }));
        return DeleteMarkers.length > 0;
      },
      { timeoutMs: 40_000, everyMs: 100 },
    );
    litestream.kill();
    expect(await said).not.toMatch(/AccessDenied|"level":"(WARN|ERROR)"/);
    database.close();
  },
);

test(
  "the command on the recovery card brings the database back with nothing but curl, Litestream and the machine's key, from an administrator's network",
  { timeout: 60_000 },
  async () => {
    const bin = join(directory, "bin");
    mkdirSync(bin);
    symlinkSync(site.litestream, join(bin, "litestream"));
    const command = renderRestoreCommand({ bucket, region: store.access.region, endpoint: store.access.endpoint });
    await promisify(execFile)("/bin/sh", ["-euc", command], {
      cwd: directory,
      env: {
        PATH: `${bin}:/usr/bin:/bin`,
        AWS_ACCESS_KEY_ID: machineKey.accessKeyId,
        AWS_SECRET_ACCESS_KEY: machineKey.secretAccessKey,
      },
    });
    const database = openDatabase(join(directory, "app.db"), "reader");
    expect(database.prepare("SELECT count(*) AS count FROM customers").get()).toEqual({ count: 2 });
    database.close();
  },
);
