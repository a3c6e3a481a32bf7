import { createHash } from "node:crypto";
import { cpSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { afterAll, beforeAll, expect, test } from "vitest";

import { waitFor } from "../../app/cli/wait-for.ts";
import { openBucket } from "../../app/replica/bucket.ts";
import { fetchHead } from "../../app/replica/head.ts";
import { buildRelease } from "../../scripts/build/build-release.ts";
import { prepareBucket, type PreparedBucket } from "../../scripts/local/bucket-preparation.ts";
import { findFreePorts } from "../../scripts/local/free-ports.ts";
import { startSeaweedStore } from "../../scripts/local/seaweed-store.ts";
import { machineTest } from "../cloud-init/machine-root.ts";
import { readText, root } from "../printed/documents.ts";
import { debians, makeSlimDebian } from "./bare-debian.ts";
import { Container, Image } from "./container.ts";
import { parseDockerfile } from "./dockerfile.ts";

/** Without mmdebstrap there is nothing to build upon. */
const containerTest = debians.includes("trixie") && debians.length > 1 ? machineTest : test.skip;
const dockerfile = readText("Dockerfile");
const token = "a-token";
/** Only a test gives them: its store is not AWS, and 8080 may be taken. */
const here = new Set(["LIFEBOAT_ENDPOINT", "LIFEBOAT_PORT"]);

test("the guide names every variable that a container must be given", () => {
  const [, block = ""] = /```\n(LIFEBOAT_[^`]*)\n```/.exec(readText("docs/guide/container.md")) ?? [];
  const told = block.split("\n").map((line) => line.split("=")[0] ?? "");
  expect(told.toSorted()).toEqual(
    Object.keys(env)
      .filter((name) => !here.has(name))
      .toSorted(),
  );
});

test("the Dockerfile has 15 lines at most, pins no tag that vanishes, and runs nothing as root", () => {
  expect(dockerfile.trim().split("\n").length).toBeLessThanOrEqual(15);
  const steps = parseDockerfile(dockerfile);
  expect(steps[0]).toEqual({ name: "FROM", rest: "debian:trixie-slim" });
  const user = steps.findIndex(({ name }) => name === "USER");
  expect(user).toBeGreaterThan(0);
  expect(steps.slice(user).filter(({ name }) => name === "RUN")).toEqual([]);
  expect(() => parseDockerfile("FROM a\nCOPY . .")).toThrow("COPY . .");
});

const cleanup = new AsyncDisposableStack();
let image: Image | undefined;
let folder: string;
let place: PreparedBucket;
let env: Record<string, string>;
let next = 0;

containerTest("the steps of the Dockerfile make an image", async () => {
  const context = join(folder, "context");
  mkdirSync(context);
  cpSync(join(root, ".dockerignore"), join(context, ".dockerignore"));
  const [base] = await Promise.all([makeSlimDebian(), buildRelease("linux-x64", join(context, ".release"))]);
  image = cleanup.use(await Image.build(dockerfile, context, { "debian:trixie-slim": base }));
  expect(image.settings).toMatchObject({ user: "lifeboat", volume: "/data", signal: "SIGTERM" });
});

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "lb-container-"));
  cleanup.defer(() => rmSync(folder, { recursive: true, force: true }));
  const { access } = cleanup.use(await startSeaweedStore());
  place = await prepareBucket(access, null);
  const [port] = await findFreePorts(1);
  env = {
    LIFEBOAT_PORT: String(port),
    LIFEBOAT_BUCKET: place.config.bucket,
    LIFEBOAT_REGION: access.region,
    LIFEBOAT_ENDPOINT: access.endpoint,
    LIFEBOAT_BUCKET_ID: place.bucketId,
    LIFEBOAT_API_TOKENS_SHA256: createHash("sha256").update(token).digest("hex"),
    LITESTREAM_ACCESS_KEY_ID: access.accessKeyId,
    LITESTREAM_SECRET_ACCESS_KEY: access.secretAccessKey,
  };
});
afterAll(() => cleanup.disposeAsync());

function makeVolume(): string {
  const volume = join(folder, `volume-${(next += 1)}`);
  mkdirSync(volume);
  return volume;
}

function run(name: string, volume: string, changed: Record<string, string> = {}): Container {
  if (image === undefined) throw new Error("there is no image");
  return Container.run(image, { name, volume, folder, env: { ...env, ...changed } });
}

/** The words of the guide's restore, and the moment that they name put in. */
function readRestore(moment: string): string[] {
  const [, words = ""] =
    /--entrypoint lifeboat lifeboat (restore .*)$/m.exec(readText("docs/guide/container.md")) ?? [];
  return ["lifeboat", ...words.replace("10m", moment).split(" ")];
}

const headers = { authorization: `Bearer ${token}`, "content-type": "application/json", durability: "bucket" };

async function ask(path: string, body?: object): Promise<{ status: number; body: unknown; durability: string | null }> {
  const request = body === undefined ? { headers } : { method: "POST", headers, body: JSON.stringify(body) };
  const answer = await fetch(`http://127.0.0.1:${env["LIFEBOAT_PORT"]}${path}`, request);
  return { status: answer.status, body: await answer.json(), durability: answer.headers.get("durability") };
}

/** Writes a customer until it is in the bucket. Returns its path. */
async function write(container: Container, name: string): Promise<string> {
  const create = async () => {
    if (!container.isRunning) throw new Error(container.output);
    const { status, body, durability } = await ask("/customers", { name, email: `${name}@example.test` });
    return status === 201 && durability === "bucket" ? `/customers/${String(Object(body).id)}` : null;
  };
  return waitFor(`${name} in the bucket`, create, { timeoutMs: 40_000, everyMs: 200 });
}

const readHead = async () => (await fetchHead(openBucket(place.config))).head;

containerTest(
  "a container serves; docker stop ends it cleanly with 0; it resumes, and without its volume the next one restores",
  async () => {
    const volume = makeVolume();
    await using first = run("first", volume);
    const paths = [await write(first, "ada")];
    const [init, ...others] = first.processes();
    expect(init?.command).toMatch(/^tini -- /);
    expect(others.map(({ command }) => command).join("\n")).toMatch(/litestream replicate[^]*app\/main\.mjs/);
    expect(await first.checkHealth()).toBe(0);
    const { epoch, machine } = await readHead();
    expect(machine).toBe("first");
    expect(await first.stop()).toBe(0);
    expect(first.output).toContain("stopped, everything is in the bucket");

    await using again = run("first", volume);
    paths.push(await write(again, "bob"));
    expect(again.output).toContain('"outcome":"resumed"');
    expect(await readHead()).toMatchObject({ epoch, machine: "first" });
    expect(await again.stop()).toBe(0);

    await using second = run("second", makeVolume());
    await write(second, "cyd");
    expect(second.output).toContain('"content":"restored"');
    for (const path of paths) expect(await ask(path)).toMatchObject({ status: 200 });
    expect(await readHead()).toMatchObject({ machine: "second" });
    expect(await second.stop()).toBe(0);
  },
);

containerTest("what is killed in a container starts again, and PID 1 buries the dead", async () => {
  await using container = run("third", makeVolume());
  await write(container, "dan");
  for (const [part, name] of [
    ["litestream replicate", "eve"],
    ["app/main.mjs", "fay"],
  ] as const) {
    container.kill(part, "SIGKILL");
    await write(container, name);
  }
  expect(container.processes().filter(({ command }) => command === "")).toEqual([]);
  expect(await container.stop()).toBe(0);
});

containerTest(
  "a boot that refuses is not started again, and neither is one that waits when it is stopped",
  async () => {
    await using refused = run("fourth", makeVolume(), { LIFEBOAT_BUCKET_ID: "another-bucket" });
    const stays = async () => (refused.output.includes("stays down after exit code 100") ? true : null);
    await waitFor("the refusal", stays, { timeoutMs: 20_000 });
    await sleep(4_000);
    expect(refused.output.split('"msg":"boot refused"')).toHaveLength(2);
    expect(refused.isRunning).toBe(true);
    expect(await refused.checkHealth()).not.toBe(0);
    expect(await refused.stop()).toBe(100);

    await using waiting = run("fifth", makeVolume(), { LIFEBOAT_ENDPOINT: "http://127.0.0.1:9" });
    await waitFor("boot", async () => (waiting.output === "" ? null : true), { timeoutMs: 20_000 });
    expect(await waiting.stop()).toBe(143);
    await using faulty = run("sixth", makeVolume(), { LIFEBOAT_REGION: "" });
    await waitFor("the fault", async () => (faulty.output.includes("exit code 78") ? true : null), {
      timeoutMs: 20_000,
    });
    expect(faulty.output).toContain("LIFEBOAT_REGION is missing");
    expect(await faulty.stop()).toBe(78);
  },
);

containerTest("a container that another one has taken over from stays down, and its Litestream with it", async () => {
  await using old = run("seventh", makeVolume());
  await write(old, "gus");
  const [port] = await findFreePorts(1);
  await using taker = run("eighth", makeVolume(), { LIFEBOAT_PORT: String(port) });
  const stays = async () => (old.output.includes("stays down after exit code 102") ? true : null);
  await waitFor("the fence", stays, { timeoutMs: 30_000 });
  await sleep(5_000);
  expect(old.processes().filter(({ command }) => /litestream|main\.mjs/.test(command))).toEqual([]);
  expect(await readHead()).toMatchObject({ machine: "eighth" });
  expect(await old.stop()).toBe(102);
  expect(await taker.stop()).toBe(0);
});

containerTest("verbs run inside, and a stopped container goes back in time", async () => {
  const volume = makeVolume();
  const kept = await (async () => {
    await using container = run("ninth", volume);
    const path = await write(container, "hal");
    const verified = await container.exec(["lifeboat", "verify"]);
    expect(verified.output).toContain("as in the live database");
    expect(verified.code).toBe(0);
    await sleep(1_500);
    expect(await container.stop()).toBe(0);
    return path;
  })();
  const moment = new Date().toISOString();
  await sleep(1_500);
  const dropped = await (async () => {
    await using container = run("ninth", volume);
    const path = await write(container, "ida");
    expect(await container.stop()).toBe(0);
    return path;
  })();
  if (image === undefined) throw new Error("there is no image");
  await using restoring = Container.run(image, {
    name: "another",
    volume,
    folder,
    env,
    entrypoint: readRestore(moment),
  });
  expect(await restoring.ended, restoring.output).toBe(0);
  await using back = run("ninth", volume);
  await write(back, "jon");
  expect(await ask(kept)).toMatchObject({ status: 200, body: { name: "hal" } });
  expect(await ask(dropped)).not.toMatchObject({ body: { name: "ida" } });
  expect(await back.stop()).toBe(0);
});
