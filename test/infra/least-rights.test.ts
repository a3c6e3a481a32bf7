import { execFile, spawn, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { promisify } from "node:util";

import { ListObjectVersionsCommand, type S3Client } from "@aws-sdk/client-s3";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { waitFor } from "../../app/cli/wait-for.ts";
import { openDatabase } from "../../app/database/open-database.ts";
import { openBucket } from "../../app/replica/bucket.ts";
import { litestreamConfig } from "../../app/replica/litestream-config.ts";
import { machineFiles } from "../../app/replica/machine.ts";
import { makeSentinel } from "../../app/replica/sentinel.ts";
import { renderRestoreCommand } from "../../infra/components/recovery-card.ts";
import { machinePolicy } from "../../infra/policies/access-policy.ts";
import { appSources, bundleApp } from "../../scripts/build/bundle-app.ts";
import { resolveBinary } from "../../scripts/build/resolve-binary.ts";
import { Machine, type Site } from "../../scripts/drill/machine.ts";
import { Leftovers } from "../../scripts/local/leftovers.ts";
import { type SeaweedStore, startSeaweedStore } from "../../scripts/local/seaweed-store.ts";
import { StoreProxy } from "../replica/store-proxy.ts";
import { demandLikeAmazon } from "./demand-like-amazon.ts";
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
      await machine.destroyDisks();
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
        syncsPerMonth: 26_000_000,
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

describe("the command on the recovery card, with nothing but curl and Litestream, at a store that demands what Amazon demands", () => {
  test(
    "brings the database back with the machine's key, from an administrator's network",
    { timeout: 60_000 },
    async () => {
      const { accessKeyId, secretAccessKey } = machineKey;
      await restoreByCard({ AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey });
    },
  );

  test("brings it back with temporary keys, and not with half of them", { timeout: 60_000 }, async () => {
    const { AWS_SESSION_TOKEN, ...half } = await askTemporaryKey(store.access);
    await restoreByCard({ ...half, AWS_SESSION_TOKEN });
    await expect(restoreByCard(half)).rejects.toThrow("head.json could not be read");
  });
});

test("the command of docs/guide/cloud.md makes the policy of whoever runs `up`", async ({ skip }) => {
  const root = join(import.meta.dirname, "../..");
  const [, command] =
    /`(aws iam create-policy [^`]+)`/.exec(readFileSync(join(root, "docs/guide/cloud.md"), "utf8")) ?? [];
  expect(command).toBeDefined();
  // IAM's limit of a managed policy, which SeaweedFS does not have.
  expect(readFileSync(join(root, "docs/iam-policy.json"), "utf8").replaceAll(/\s/g, "").length).toBeLessThan(6_144);
  skip(spawnSync("which", ["aws"]).status !== 0, "the AWS CLI is not installed");
  const { endpoint, region, accessKeyId, secretAccessKey } = store.access;
  const env = {
    ...process.env,
    AWS_DEFAULT_REGION: region,
    AWS_ACCESS_KEY_ID: accessKeyId,
    AWS_SECRET_ACCESS_KEY: secretAccessKey,
  };
  const { stdout } = await promisify(execFile)("/bin/sh", ["-euc", `${command} --endpoint-url ${endpoint}`], {
    cwd: root,
    env,
  });
  expect(JSON.parse(stdout)).toMatchObject({ Policy: { PolicyName: "lifeboat-up", IsAttachable: true } });
});

/** Runs the command as sh would in an empty folder, and looks at what it brings. */
async function restoreByCard(keys: Record<string, string>): Promise<void> {
  const home = mkdtempSync(join(directory, "laptop-"));
  symlinkSync(site.litestream, join(home, "litestream"));
  await using demanding = await StoreProxy.start(store.access.endpoint, demandLikeAmazon);
  const command = renderRestoreCommand({ bucket, region: store.access.region, endpoint: demanding.endpoint });
  const env = { PATH: `${home}:/usr/bin:/bin`, HOME: home, ...keys };
  await promisify(execFile)("/bin/sh", ["-euc", command], { cwd: home, env });
  const database = openDatabase(join(home, "app.db"), "reader");
  expect(database.prepare("SELECT count(*) AS count FROM customers").get()).toEqual({ count: 2 });
  database.close();
}

/** Real temporary keys, of the store's own STS: it answers 403 to them without their token. */
async function askTemporaryKey({ endpoint, region, accessKeyId, secretAccessKey }: SeaweedStore["access"]) {
  const signed = ["--aws-sigv4", `aws:amz:${region}:sts`, "--user", `${accessKeyId}:${secretAccessKey}`];
  const wish = "Action=AssumeRole&Version=2011-06-15&RoleSessionName=laptop";
  const { stdout } = await promisify(execFile)("curl", ["-fsS", ...signed, "--data", wish, `${endpoint}/`]);
  const read = (name: string) => new RegExp(`<${name}>(.*?)</${name}>`).exec(stdout)?.[1] ?? "";
  return {
    AWS_ACCESS_KEY_ID: read("AccessKeyId"),
    AWS_SECRET_ACCESS_KEY: read("SecretAccessKey"),
    AWS_SESSION_TOKEN: read("SessionToken"),
  };
}
