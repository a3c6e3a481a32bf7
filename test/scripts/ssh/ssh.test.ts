import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";

import { afterEach, beforeEach, expect, test, vi } from "vitest";

import { runOnMachine, runOverSsh, sshArguments, waitForSsh } from "../../../scripts/ssh/ssh.ts";

const target = { ip: "203.0.113.9", server: "4711" };

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "lifeboat-ssh-"));
  vi.stubEnv("PATH", `${directory}${delimiter}${process.env["PATH"] ?? ""}`);
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(directory, { recursive: true, force: true });
});

function stubSsh(body: string): void {
  writeFileSync(join(directory, "ssh"), `#!/bin/sh\nfor last; do :; done\n${body}\n`);
  chmodSync(join(directory, "ssh"), 0o755);
}

test("a new server behind the same address is a new host, and no question is ever asked", () => {
  const args = sshArguments(target, "/cache/known_hosts");
  expect(args).toContain("HostKeyAlias=lifeboat-4711");
  expect(args).toContain("BatchMode=yes");
  expect(args).toContain("StrictHostKeyChecking=accept-new");
  expect(args.at(-1)).toBe("root@203.0.113.9");
});

test("a machine that has told its host keys must show one of them", async () => {
  stubSsh(
    `echo "$@" >"${directory}/arguments"; for word; do case $word in UserKnownHostsFile=*) cat "\${word#*=}" >"${directory}/known" ;; esac; done`,
  );
  await runOverSsh({ ...target, hostKeys: ["ssh-ed25519 AAAA", "ssh-rsa BBBB"] }, { script: "true", stdin: "" });
  const words = readFileSync(join(directory, "arguments"), "utf8");
  expect(words).toContain("StrictHostKeyChecking=yes");
  expect(readFileSync(join(directory, "known"), "utf8")).toBe(
    "lifeboat-4711 ssh-ed25519 AAAA\nlifeboat-4711 ssh-rsa BBBB\n",
  );
});

test("a script runs on the machine with its secrets on stdin, not on the command line", async () => {
  stubSsh(`echo "$@" >"${directory}/arguments"; cat >"${directory}/stdin"`);
  await runOverSsh(target, { script: "set -- abc\necho $1", stdin: "SECRET='hidden'\n" });
  expect(readFileSync(join(directory, "stdin"), "utf8")).toBe("SECRET='hidden'\n");
  expect(readFileSync(join(directory, "arguments"), "utf8")).not.toContain("hidden");
});

test("the machine's message is passed on when it fails", async () => {
  stubSsh("echo boot refused: another bucket >&2; exit 1");
  await expect(runOverSsh(target, { script: "true", stdin: "" })).rejects.toThrow(
    /did not get ready[\s\S]*another bucket/,
  );
});

test("a machine that does not let us in yet is waited for", { timeout: 20_000 }, async () => {
  stubSsh(`if [ ! -e "${directory}/tried" ]; then touch "${directory}/tried"; exit 255; fi`);
  await waitForSsh(target);
});

test("a verb's command runs on the machine without a terminal where there is none, and its exit code is ours", async () => {
  stubSsh(`echo "$@" >"${directory}/arguments"; exit 3`);
  const pinned = { ...target, hostKeys: ["ssh-ed25519 AAAA"] };
  expect(await runOnMachine(pinned, "lifeboat sql 'select 1'")).toBe(3);
  const words = readFileSync(join(directory, "arguments"), "utf8");
  expect(words).toMatch(/^-T .*StrictHostKeyChecking=yes.* root@203\.0\.113\.9 lifeboat sql 'select 1'\n$/);
});
