import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";

import { Type } from "typebox";
import { Value } from "typebox/value";
import { afterAll, beforeAll, expect } from "vitest";
import { parse } from "yaml";

import { deployPolicy } from "../../infra/policies/access-policy.ts";
import { machineTest } from "../cloud-init/machine-root.ts";
import { ReleaseBucket } from "../cloud-init/release-bucket.ts";
import { VolumeFile } from "../cloud-init/volume-file.ts";
import { type Key, makeLimitedKey } from "../infra/limited-key.ts";
import { makeMachineKey } from "./bucket-key.ts";
import { BuiltRelease } from "./built-release.ts";
import { SystemdMachine } from "./systemd-machine.ts";

const timeout = 600_000;
const root = join(import.meta.dirname, "../..");
const WorkflowSchema = Type.Object({
  jobs: Type.Object({
    deploy: Type.Object({
      env: Type.Record(Type.String(), Type.String()),
      steps: Type.Array(Type.Object({ uses: Type.Optional(Type.String()), run: Type.Optional(Type.String()) })),
    }),
  }),
});

let bucket: ReleaseBucket;
let release: BuiltRelease;
let birth: string;
let machine: SystemdMachine;
let key: Key;
let cleanup: AsyncDisposableStack;
beforeAll(async () => {
  cleanup = new AsyncDisposableStack();
  release = cleanup.use(await BuiltRelease.make());
  bucket = cleanup.use(await ReleaseBucket.open({ iamApi: true }));
  birth = await bucket.putRelease(release.change({ "app/birth.txt": "" }));
  await bucket.put("desired-release.json", JSON.stringify({ sha256: birth, previous: null }));
  key = await makeLimitedKey(bucket.access, "ci", deployPolicy(bucket.place.bucket));
  const volume = cleanup.use(new VolumeFile());
  const machineKey = await makeMachineKey(bucket, "machine");
  machine = cleanup.use(await SystemdMachine.switchOn(bucket, birth, volume, { key: machineKey }));
  await machine.waitUntilReady();
}, timeout);
afterAll(() => cleanup.disposeAsync(), timeout);

/** The workflow of the guide: its environment, and every line that a runner runs. */
function readSteps(): { env: Record<string, string>; lines: string[] } {
  const page = readFileSync(join(root, "docs/guide/deploys.md"), "utf8");
  const [, yaml = ""] = /^```yaml\n([^]*?)^```$/m.exec(page) ?? [];
  const { env, steps } = Value.Parse(WorkflowSchema, parse(yaml)).jobs.deploy;
  const given: Record<string, string> = {
    "vars.LIFEBOAT_BUCKET": bucket.place.bucket,
    "vars.LIFEBOAT_REGION": bucket.access.region,
    "vars.LIFEBOAT_ENDPOINT": bucket.access.endpoint,
    "secrets.DEPLOY_ACCESS_KEY_ID": key.accessKeyId,
    "secrets.DEPLOY_SECRET_ACCESS_KEY": key.secretAccessKey,
  };
  const put = (value: string) =>
    value.replaceAll(/\$\{\{ (\S+) \}\}/g, (_all, name: string) => given[name] ?? `no ${name}`);
  return {
    env: Object.fromEntries(Object.entries(env).map(([name, value]) => [name, put(value)])),
    lines: steps.flatMap((step) => step.run ?? []),
  };
}

/** Runs a line as a runner does: in the clone, without Pulumi and without a terminal. */
async function run(line: string, env: Record<string, string>) {
  const child = spawn("bash", ["-e", "-c", line], {
    cwd: root,
    env: {
      PATH: process.env["PATH"],
      HOME: process.env["HOME"],
      CI: "true",
      GITHUB_ACTOR: "octocat",
      GITHUB_RUN_ID: "7",
      ...env,
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "close")]);
  return { code: Number(code), stdout, stderr };
}

machineTest(
  "the steps of the workflow in the guide deploy, with the deploy key and without SSH",
  { timeout },
  async () => {
    const { env, lines } = readSteps();
    // Itself the step that runs this test.
    expect(lines).toEqual(["npm run check", "npm run deploy", "npm run releases"]);
    const [, deploy = "", list = ""] = lines;
    const deployed = await run(deploy, env);
    console.info(deployed.stdout);
    expect(deployed).toMatchObject({ code: 0, stderr: "" });
    expect(await machine.do("readlink", "/opt/lifeboat/current")).toContain(release.sha256);
    expect(await machine.ask("GET", "/ready")).toMatchObject({ status: 200 });
    const listed = await run(list, env);
    expect(listed).toMatchObject({ code: 0, stderr: "" });
    expect(listed.stdout).toMatch(new RegExp(`^${release.sha256.slice(0, 12)} .*runs, new machines$`, "m"));
    expect(listed.stdout).toContain("by octocat, GitHub run 7: serving");
    console.info(
      await machine.do(
        "sh",
        "-c",
        "systemctl show -p MainPID --value lifeboat-deploys | xargs -I@ grep -E 'VmRSS|RssAnon' /proc/@/status",
      ),
    );
  },
);

machineTest("the way back of CI, to the release of the birth and forth again", { timeout }, async () => {
  const { env } = readSteps();
  expect(await run("npm run rollback", env)).toMatchObject({ code: 0 });
  expect(await machine.do("readlink", "/opt/lifeboat/current")).toContain(birth);
  expect(await run("npm run deploy -- --platform linux-x64", env)).toMatchObject({
    code: 0,
    stdout: expect.stringContaining("it was there"),
  });
  expect(await machine.do("readlink", "/opt/lifeboat/current")).toContain(release.sha256);
});
