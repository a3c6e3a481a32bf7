import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { text } from "node:stream/consumers";

import { afterAll, beforeAll, expect, test } from "vitest";

import { waitFor } from "../../app/cli/wait-for.ts";
import { readDatabase } from "../../app/database/open-database.ts";
import { syncReplica } from "../../app/replica/litestream.ts";
import { resolveBinary } from "../../scripts/build/resolve-binary.ts";
import { prepareBucket } from "../../scripts/local/bucket-preparation.ts";
import { findFreePorts } from "../../scripts/local/free-ports.ts";
import { startSeaweedStore } from "../../scripts/local/seaweed-store.ts";

// Whoever has no Pulumi types what these pages say, in their order: on a real store, with the real Litestream.
const root = dirname(dirname(import.meta.dirname));
const pages = ["by-hand.md", "before-a-migration.md"]
  .map((name) => readFileSync(join(root, "docs/runbooks", name), "utf8"))
  .join("\n");
const token = "a-token-that-was-made-by-hand";

let folder: string;
let env: Record<string, string>;
const cleanup = new AsyncDisposableStack();

beforeAll(async () => {
  // A short name: a socket's path has room for 107 bytes.
  folder = mkdtempSync(join(tmpdir(), "lb-hand-"));
  cleanup.defer(() => rmSync(folder, { recursive: true }));
  for (const name of ["app", "node_modules", "package.json"]) symlinkSync(join(root, name), join(folder, name));
  const { access } = cleanup.use(await startSeaweedStore());
  const { config, bucketId } = await prepareBucket(access, null);
  const litestream = await resolveBinary("litestream");
  mkdirSync(join(folder, "bin"));
  symlinkSync(litestream, join(folder, "bin", "litestream"));
  const [port] = await findFreePorts(1);
  env = {
    PATH: `${join(folder, "bin")}:${process.env["PATH"] ?? ""}`,
    LIFEBOAT_DATA_DIR: "data",
    LIFEBOAT_RUN_DIR: "run",
    LIFEBOAT_BUCKET: config.bucket,
    LIFEBOAT_REGION: config.region,
    LIFEBOAT_ENDPOINT: access.endpoint,
    LIFEBOAT_BUCKET_ID: bucketId,
    LIFEBOAT_LITESTREAM: litestream,
    LIFEBOAT_PORT: String(port),
    LITESTREAM_ACCESS_KEY_ID: access.accessKeyId,
    LITESTREAM_SECRET_ACCESS_KEY: access.secretAccessKey,
    TOKEN: token,
  };
}, 60_000);
afterAll(async () => {
  await cleanup.disposeAsync();
  expect(listRunning(), "still run after SIGTERM to what was typed").toEqual([]);
});

/** The processes that were started in the folder. */
function listRunning(): string[] {
  return readdirSync("/proc")
    .filter((pid) => /^\d+$/.test(pid))
    .filter((pid) => {
      try {
        return readlinkSync(`/proc/${pid}/cwd`).startsWith(folder);
      } catch {
        return false; // It has ended, or belongs to somebody else.
      }
    });
}

/** The code of the pages that looks like this. Throws when there is none, or more than one. */
function readCode(pattern: RegExp): string {
  const found = [...pages.matchAll(/`([^`\n]+)`/g)].flatMap(([, code = ""]) => (pattern.test(code) ? [code] : []));
  const [code] = found;
  if (code === undefined || found.length > 1)
    throw new Error(`the runbooks have ${found.length} lines like ${pattern}`);
  return code;
}

async function type(command: string): Promise<string> {
  const child = spawn("/bin/sh", ["-euc", command], { cwd: folder, env, stdio: ["ignore", "pipe", "pipe"] });
  const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "close")]);
  expect(code, `${command}: ${stderr}${stdout}`).toBe(0);
  return stdout;
}

/** Starts what goes on until it is stopped. */
function leaveRunning(command: string): void {
  const child = spawn("/bin/sh", ["-c", `exec ${command}`], { cwd: folder, env, stdio: "ignore" });
  const ended = once(child, "close");
  cleanup.defer(async () => {
    child.kill("SIGTERM");
    await ended;
  });
}

const url = (path: string) => `http://127.0.0.1:${env["LIFEBOAT_PORT"]}${path}`;

async function createCustomer(name: string): Promise<string> {
  const answer = await fetch(url("/customers"), {
    method: "POST",
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json", durability: "bucket" },
    body: JSON.stringify({ name, email: `${name}@example.test` }),
  });
  if (answer.status !== 201) throw new Error(`${answer.status} ${await answer.text()}`);
  return name;
}

test("the three processes start as the page says, and a state from before comes back as a file of its own", async () => {
  env["LIFEBOAT_API_TOKENS_SHA256"] = (await type(readCode(/^printf/))).trim();
  await type(readCode(/app\/boot\.ts$/));
  leaveRunning(readCode(/^flock/));
  leaveRunning(readCode(/app\/main\.ts$/));
  await waitFor("the first write in the bucket", () => createCustomer("before"), { timeoutMs: 20_000 });
  const txid = await syncReplica(join(folder, "run/litestream.sock"), join(folder, "data/app.db"), 5_000);
  await waitFor("a later one", () => createCustomer("after"), { timeoutMs: 20_000 });

  // The paths are the machine's; here they are those of this folder.
  const restore = readCode(/^litestream restore/)
    .replace("TXID", txid)
    .replace("/run/lifeboat/", "run/");
  await type(restore.replaceAll(/ \/data\/(before|app)\.db/g, ` ${folder}/data/$1.db`));
  expect(names(join(folder, "data/before.db"))).toEqual(["before"]);
  expect(names(join(folder, "data/app.db"))).toEqual(["before", "after"]);
});

function names(path: string): unknown[] {
  return readDatabase(path, (db) => db.prepare("select name from customers order by id").pluck().all());
}
