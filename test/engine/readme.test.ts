import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { promisify } from "node:util";

import { ListBucketsCommand } from "@aws-sdk/client-s3";
import { afterAll, beforeAll, expect, test } from "vitest";

import { readBlock, readLine } from "../printed/readme.ts";
import { type Checkout, checkOut } from "./project/check-out.ts";
import { openProject, type Project } from "./project/open-project.ts";
import { onlyServer } from "./project/open-scenario.ts";

// A newcomer's terminal, from an empty HOME on: the commands are the README's, in their order.
let project: Project;
let checkout: Checkout;
let home: string;

beforeAll(async () => {
  project = await openProject();
  checkout = await checkOut(project);
  home = join(project.directory, "newcomer");
  mkdirSync(join(home, ".ssh"), { recursive: true });
  mkdirSync(join(home, "bin"));
  const key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ3n4ZUmYl2V2S0c0lNbN7M8cC0o7YQ3dXr8QbHqk9bM test";
  writeFileSync(join(home, ".ssh", "id_ed25519.pub"), `${key}\n`);
  // The bucket gives the machine's key to adminCidrs only, and the doubles see everybody come from here.
  moveTo("127.0.0.1");
  // Starts what npm would start, and refuses what npm would keep for itself. It proves neither the set-up nor that a
  // release is built ($NO_BUILD: it is one of the doubles'), both of which have tests of their own, and it says yes
  // where a newcomer is asked.
  const npm = [
    "#!/bin/sh",
    '[ "$1" = run ] || exit 1',
    "verb=$2; shift 2",
    '[ "${1:---}" = -- ] || { echo "npm would keep $1 for itself" >&2; exit 1; }',
    "[ $# = 0 ] || shift",
    'exec node "scripts/$verb.ts" "$@" --yes $NO_BUILD\n',
  ].join("\n");
  writeFileSync(join(home, "bin", "npm"), npm, { mode: 0o755 });
  // `--local` is a folder of the home that the list of users names, whatever HOME says: not this newcomer's.
  const login = '[ "$*" != "login --local" ] || set -- login "file://$HOME"';
  const pulumi = `#!/bin/sh\n${login}\nPATH=\${PATH#*:} exec pulumi "$@"\n`;
  writeFileSync(join(home, "bin", "pulumi"), pulumi, { mode: 0o755 });
});
afterAll(() => project[Symbol.asyncDispose]());

/** The address that the world sees. */
function moveTo(address: string): void {
  writeFileSync(join(home, "bin", "curl"), `#!/bin/sh\necho ${address}\n`, { mode: 0o755 });
}

/** Types commands, and Hetzner's token when one asks for it. */
async function type(commands: string, noBuild = "--no-build") {
  const { PULUMI_BACKEND_URL: _state, PULUMI_CONFIG_PASSPHRASE: _phrase, ...shell } = project.shell;
  const env = { ...process.env, ...shell, HOME: home, PATH: `${join(home, "bin")}:${shell["PATH"] ?? ""}` };
  const child = spawn("/bin/sh", ["-eu", "-c", commands], {
    cwd: checkout.directory,
    env: { ...env, NO_BUILD: noBuild, HCLOUD_ENDPOINT: project.hetzner.endpoint },
    stdio: ["pipe", "pipe", "pipe"],
  });
  child.stdin.end(`${project.hetzner.token}\n`);
  const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "close")]);
  return { code: Number(code), stdout, stderr };
}

const passphrase = readLine(/^export PULUMI_CONFIG_PASSPHRASE=/);

test("the block of the quick start ends with a machine that answers, and its outputs are readable", async () => {
  const block = readBlock("npm run up");
  const { code, stdout, stderr } = await type(block);
  expect(code, stderr).toBe(0);
  expect(stdout.trimEnd()).toMatch(new RegExp(`https://${onlyServer(project).public_net.ipv4?.ip}$`));
  expect(readFileSync(join(checkout.directory, "Pulumi.production.yaml"), "utf8")).toContain("127.0.0.1/32");
  const outputs = await type(
    `${passphrase}\npulumi stack output; pulumi stack output url; pulumi config get apiTokens`,
  );
  expect(outputs.stdout).not.toContain("ITEM ");
  expect(outputs.stdout).toMatch(/^ +monthlyCost +9\.\d\d EUR and/m);
  expect(outputs.stdout.trimEnd().split("\n").slice(-2)).toEqual([
    `https://${onlyServer(project).public_net.ipv4?.ip}`,
    expect.stringMatching(/^[0-9a-f]{64}$/),
  ]);
});

test("a home address that changed opens the firewall again", async () => {
  moveTo("198.51.100.9");
  const { id } = onlyServer(project);
  const { code, stderr } = await type(
    `${passphrase}\n${readLine(/pulumi config set --path 'adminCidrs\[0\]'.*&& npm run up/)}`,
  );
  expect([code, stderr]).toEqual([0, expect.not.stringContaining("refused")]);
  const [firewall] = project.hetzner.cloud.firewalls.values();
  expect(JSON.stringify(firewall)).toContain("198.51.100.9/32");
  expect(JSON.stringify(firewall)).not.toContain("127.0.0.1/32");
  expect(onlyServer(project).id).toBe(id);
});

test("a setting that is removed is gone, and a flag before the two hyphens is refused", async () => {
  const url = "https://alarm.example.test/1";
  const get = "pulumi config get heartbeatUrl";
  const { code, stdout } = await type(
    `${passphrase}\npulumi config set --secret heartbeatUrl ${url}\n${get}\npulumi config rm heartbeatUrl\n${get}`,
  );
  expect([code, stdout.trim()]).toEqual([0, url]);
  const kept = await type("npm run up --dry-run");
  expect(kept).toMatchObject({ code: 1, stderr: "npm would keep --dry-run for itself\n" });
});

test("plain Pulumi previews nothing, and the clean-up leaves the data", async () => {
  const preview = await type(`${passphrase}\npulumi preview --expect-no-changes --non-interactive`);
  expect([preview.code, preview.stderr]).toEqual([0, ""]);
  const { code, stdout } = await type(`${passphrase}\nnpm run down`, "");
  expect(stdout).toContain("LIFEBOAT RECOVERY CARD");
  expect([code, project.hetzner.cloud.servers.size, project.hetzner.cloud.volumes.size]).toEqual([0, 0, 1]);
});

test("plain Pulumi takes away what is left of the stack, and not the data", async () => {
  const bucketsBefore = await project.account.s3.send(new ListBucketsCommand());
  const { code } = await type(
    `${passphrase}\npulumi destroy --yes --skip-preview --non-interactive\npulumi stack rm production --yes`,
  );
  expect(code).toBe(0);
  expect(project.hetzner.cloud.volumes.size).toBe(1);
  expect((await project.account.s3.send(new ListBucketsCommand())).Buckets).toEqual(bucketsBefore.Buckets);
});

test("without an account, plan and price are shown on the doubles", async () => {
  const stdout = await runWithDoubles("up", "--dry-run", "--no-build");
  expect(stdout).toMatch(/^ITEM +DETAIL +A MONTH$/m);
  expect(stdout).toContain("dry run: nothing was changed");
});

test("without an account, a stack goes up and hears of a deploy on the doubles", async () => {
  const stdout = await runWithDoubles(
    "bash",
    "-ec",
    "node scripts/up.ts --yes --no-build && node scripts/deploy.ts --no-build && node scripts/releases.ts",
  );
  expect(stdout).toMatch(/^\[PASS\] the machine's report /m);
  expect(stdout).toMatch(/^last deploy: .*: serving$/m);
});

async function runWithDoubles(...words: string[]): Promise<string> {
  const script = join(import.meta.dirname, "run-with-doubles.ts");
  return (await promisify(execFile)(process.execPath, [script, ...words])).stdout;
}
