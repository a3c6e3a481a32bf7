import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";

import { afterEach, beforeEach, expect, test } from "vitest";

import { renderUserData } from "../../../cloud-init/user-data.ts";
import { readMachineSettings, renderSettings } from "../../../scripts/remote/machine-settings.ts";
import { exampleInput } from "../../cloud-init/example-input.ts";
import { MachineRoot, machineTest } from "../../cloud-init/machine-root.ts";
import { stubCommand } from "../../cloud-init/stub-command.ts";
import { writeUserData } from "../../cloud-init/write-user-data.ts";

// What it does to a machine with a real systemd is shown by test/machine/bring-up.test.ts.
const path = join(import.meta.dirname, "../../../scripts/remote/bring-up.sh");
const script = readFileSync(path, "utf8");
const given = {
  accessKeyId: "new",
  secretAccessKey: "n3w/secret+",
  apiTokensSha256: [`shop:${"c".repeat(64)}`, "d".repeat(64)],
  heartbeatUrl: "https://ping.example/n3w-secret?$=%s",
  replicationIntervalMs: 1000,
  syncsPerMonth: 26_000_000,
  retentionHours: 24,
  settingsKey: "5ea2".repeat(16),
  edge: {
    domain: "app.example.com",
    www: true,
    ipv4: "203.0.113.9",
    ipv6: "2001:db8:9::1",
    acmeDirectory: "https://acme.example/directory",
    key: { accessKeyId: "new-edge", secretAccessKey: "n3w/edge+secret" },
  },
};
const edgeLines = `LIFEBOAT_DOMAIN='app.example.com'
LIFEBOAT_WWW='true'
LIFEBOAT_IPV4='203.0.113.9'
LIFEBOAT_IPV6='2001:db8:9::1'
LIFEBOAT_ACME_DIRECTORY='https://acme.example/directory'
LIFEBOAT_EDGE_ACCESS_KEY_ID='new-edge'
LIFEBOAT_EDGE_SECRET_ACCESS_KEY='n3w/edge+secret'
`;

let root: MachineRoot;
beforeEach(async () => {
  root = await MachineRoot.open(["sleep", "infinity"]);
  writeUserData(root, renderUserData(exampleInput));
  for (const name of ["cloud-init", "systemctl", "install-release"])
    await stubCommand(root, name, 'echo "${0##*/} $*" >>/run/calls');
  await root.run(["ln", "-sf", "/usr/local/sbin/install-release", "/usr/local/lib/lifeboat/install-release"]);
  await root.run(["install", "-D", "/usr/local/sbin/systemctl", "/opt/lifeboat/current/bin/serve"]);
});
afterEach(() => root[Symbol.asyncDispose]());

const bringUp = () => root.run(["sh", "-c", `set -- ${"a".repeat(64)}\n${script}`], renderSettings(given));
const readCalls = async () => (await root.run(["cat", "/run/calls"])).stdout;

machineTest("what is given replaces its own lines, the others stay, and only root reads them", async () => {
  expect(await bringUp()).toEqual({ code: 0, stdout: "", stderr: "" });
  const { stdout } = await root.run(["cat", "/etc/lifeboat/environment"]);
  const lines = stdout.trim().split("\n");
  const [settings = ""] = renderSettings(given).split("# tokens\n");
  expect(lines).toEqual(expect.arrayContaining(settings.trim().split("\n")));
  expect(lines).toContain(`LIFEBOAT_BUCKET_ID='${exampleInput.bucket.bucketId}'`);
  expect(new Set(lines.map((line) => line.split("=")[0])).size).toBe(lines.length);
  expect((await root.run(["stat", "-c", "%a %U", "/etc/lifeboat/environment"])).stdout).toBe("600 root\n");
});

machineTest(
  "the tokens are in a file of their own, which the app's group reads, in place of those among older settings",
  async () => {
    await root.run(["rm", "/etc/lifeboat/tokens"]);
    const old = `LIFEBOAT_API_TOKENS_SHA256='${exampleInput.apiTokensSha256.join(",")}'`;
    await root.run(["sed", "-i", `s/^LIFEBOAT_API_TOKENS_FILE=.*/${old}/`, "/etc/lifeboat/environment"]);
    expect(await bringUp()).toEqual({ code: 0, stdout: "", stderr: "" });
    expect((await root.run(["cat", "/etc/lifeboat/tokens"])).stdout).toBe(`${given.apiTokensSha256.join("\n")}\n`);
    expect((await root.run(["stat", "-c", "%a %u %g", "/etc/lifeboat/tokens"])).stdout).toBe("640 0 980\n");
    const { stdout } = await root.run(["cat", "/etc/lifeboat/environment"]);
    expect(stdout).toContain("LIFEBOAT_API_TOKENS_FILE='/etc/lifeboat/tokens'\n");
    expect(stdout).not.toContain("LIFEBOAT_API_TOKENS_SHA256");
    expect((await root.run(["ls", "/etc/lifeboat"])).stdout).toBe(
      "complete\nedge\nenvironment\nsettings-key\ntokens\n",
    );
  },
);

machineTest(
  "what does not serve is taken back, the settings and the tokens, also those of an older machine",
  async () => {
    const read = async () => (await root.run(["sh", "-c", "stat -c %a /etc/lifeboat/*; cat /etc/lifeboat/*"])).stdout;
    await stubCommand(root, "install-release", "exit 1");
    const birth = await read();
    expect(await bringUp()).toMatchObject({ code: 1, stderr: expect.stringMatching(/^lifeboat: going back[^\n]*\n$/) });
    expect(await read()).toBe(birth);

    const old = `LIFEBOAT_API_TOKENS_SHA256='${exampleInput.apiTokensSha256.join(",")}'`;
    await root.run(["sed", "-i", `s/^LIFEBOAT_API_TOKENS_FILE=.*/${old}/`, "/etc/lifeboat/environment"]);
    const { stdout } = await root.run(["cat", "/etc/lifeboat/environment"]);
    expect(await bringUp()).toMatchObject({ code: 1 });
    expect((await root.run(["cat", "/etc/lifeboat/environment"])).stdout).toBe(stdout);
  },
);

machineTest(
  "the settings of the edge are in a file of their own, which only root reads, also on an older machine",
  async () => {
    const readEdge = async () =>
      (await root.run(["sh", "-c", "cd /etc/lifeboat && stat -c '%a %U' edge && cat edge"])).stdout;
    expect(await bringUp()).toEqual({ code: 0, stdout: "", stderr: "" });
    expect(await readEdge()).toBe(`600 root\n${edgeLines}`);
    const environment = (await root.run(["cat", "/etc/lifeboat/environment"])).stdout;
    for (const secret of ["new-edge", "n3w/edge+secret"]) expect(environment).not.toContain(secret);
    await root.run(["rm", "/etc/lifeboat/edge"]);
    expect(await bringUp()).toEqual({ code: 0, stdout: "", stderr: "" });
    expect(await readEdge()).toBe(`600 root\n${edgeLines}`);
  },
);

machineTest("an older machine that does not get ready has no edge and no key afterwards, as before", async () => {
  await stubCommand(root, "install-release", "exit 1");
  await root.run(["rm", "/etc/lifeboat/edge", "/etc/lifeboat/settings-key"]);
  expect(await bringUp()).toMatchObject({ code: 1 });
  expect((await root.run(["ls", "/etc/lifeboat"])).stdout).toBe("complete\nenvironment\ntokens\n");
  // A second one, after a first that was cut off between the files and their trial.
  await root.run(["sh", "-c", "cd /etc/lifeboat && echo half >edge && : >edge.made"]);
  expect(await bringUp()).toMatchObject({ code: 1 });
  expect((await root.run(["ls", "/etc/lifeboat"])).stdout).toBe("complete\nenvironment\ntokens\n");
});

machineTest("an older machine gets the key for settings that come by the bucket, which only root reads", async () => {
  await root.run(["rm", "/etc/lifeboat/settings-key"]);
  expect(await bringUp()).toEqual({ code: 0, stdout: "", stderr: "" });
  const { stdout } = await root.run([
    "sh",
    "-c",
    "cd /etc/lifeboat && stat -c '%a %U' settings-key && cat settings-key",
  ]);
  expect(stdout).toBe(`600 root\n${given.settingsKey}\n`);
});

machineTest.each([
  [
    "a section that is not known",
    "# complete",
    "# tunnel\nLIFEBOAT_TUNNEL_SECRET='n3w/tunnel'\n# complete",
    "# tunnel",
  ],
  ["a section that is missing", /# edge\n[^]*(?=# settings-key)/, "", "# edge"],
  ["a section that is there twice", "# edge", "# edge\n# edge", "# edge"],
])("%s is refused by its name, before anything is written", async (_, from, to, name) => {
  const read = async () =>
    (await root.run(["sh", "-c", "stat -c '%n %Y' /etc/lifeboat/*; cat /etc/lifeboat/*"])).stdout;
  const before = await read();
  const sent = renderSettings(given).replace(from, to);
  const { code, stderr } = await root.run(["sh", "-c", `set -- ${"a".repeat(64)}\n${script}`], sent);
  expect({ code, stderr }).toEqual({
    code: 100,
    stderr: expect.stringMatching(
      new RegExp(`^lifeboat: refused: .*${name}.*; next: npm run deploy, then npm run up\n$`),
    ),
  });
  expect(stderr).not.toContain("n3w");
  expect(await read()).toBe(before);
  expect((await root.run(["cat", "/run/calls"])).stdout).toBe("");
});

machineTest("no secret is on a command line of the machine, nor in what is said", async () => {
  await bringUp();
  expect(await readCalls()).toContain(`install-release ${"a".repeat(64)}`);
  for (const secret of [given.secretAccessKey, "n3w-secret", given.edge.key.secretAccessKey])
    expect(await readCalls()).not.toContain(secret);
});

machineTest("what else went wrong in cloud-init is no obstacle, unless it left us out", async () => {
  await stubCommand(root, "cloud-init", 'echo "status: error, no locale"; exit 1');
  expect(await bringUp()).toMatchObject({ code: 0 });
  await stubCommand(root, "systemctl", 'test "$1" != is-enabled');
  expect(await bringUp()).toMatchObject({ code: 100, stderr: expect.stringContaining("status: error, no locale") });
});

test("settings that the shell would read in its own way are refused before they are sent", () => {
  expect(readMachineSettings(JSON.stringify(given))).toEqual(given);
  for (const secretAccessKey of ["it's", "a b", "a\nb", 'a"b', "a\\b", ""]) {
    expect(() => readMachineSettings(JSON.stringify({ ...given, secretAccessKey }))).toThrow("stdin must hold");
  }
  const edge = { ...given.edge, domain: "it's" };
  expect(() => readMachineSettings(JSON.stringify({ ...given, edge }))).toThrow("stdin must hold");
  for (const entry of ["shop:", "a b:" + "c".repeat(64), "the-token-itself", `x'y:${"c".repeat(64)}`]) {
    expect(() => readMachineSettings(JSON.stringify({ ...given, apiTokensSha256: [entry] }))).toThrow(
      "stdin must hold",
    );
  }
  // What JSON.parse says would hold the beginning of a secret.
  expect(() => readMachineSettings("hunter2")).toThrow(/^(?!.*hunter)stdin must hold/);
});

test("the script is shellcheck-clean", ({ skip }) => {
  const { error, status, stdout } = spawnSync("shellcheck", [path], { encoding: "utf8" });
  if (error !== undefined) skip("shellcheck is not installed");
  expect([status, stdout]).toEqual([0, ""]);
});
