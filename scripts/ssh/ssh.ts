import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";

export type SshTarget = {
  ip: string;
  /** Hetzner's number of the server: a new one behind the same address has a new host key. */
  server: string;
  /** The expected host keys, as `type base64`. Undefined: accept any at the first contact. */
  hostKeys?: readonly string[];
};

const reachLimitMs = 300_000;
const reachPollMs = 3_000;

/**
 * The command line of ssh: the user's own keys and agent, no questions, and a known host key or, for commands without
 * secrets, any.
 */
export function sshArguments({ ip, server, hostKeys }: SshTarget, knownHosts: string): string[] {
  const options = {
    BatchMode: "yes",
    ConnectTimeout: "10",
    ServerAliveInterval: "15",
    ServerAliveCountMax: "4",
    StrictHostKeyChecking: hostKeys === undefined ? "accept-new" : "yes",
    UpdateHostKeys: "no",
    HostKeyAlias: `lifeboat-${server}`,
    UserKnownHostsFile: knownHosts,
  };
  return [...Object.entries(options).flatMap(([name, value]) => ["-o", `${name}=${value}`]), `root@${ip}`];
}

/** Waits until SSH to the machine works. Throws after five minutes, with ssh's last message. */
export async function waitForSsh(target: SshTarget): Promise<void> {
  const endAt = Date.now() + reachLimitMs;
  for (;;) {
    const { code, stderr } = await ssh(target, { script: "true", stdin: "", limitMs: 30_000 });
    if (code === 0) return;
    if (Date.now() > endAt) {
      throw new Error(
        `root@${target.ip} cannot be reached by SSH: ${stderr.trim()}; is your address in adminCidrs, and your key in sshKeys?`,
      );
    }
    await sleep(reachPollMs);
  }
}

/**
 * Runs a script on the machine, with its secrets on stdin, and passes its stderr on at once. Throws with that stderr.
 * There is no time limit, because a migration has none. All other waits on the machine do, and ssh notices a dead peer
 * within a minute.
 */
export async function runOverSsh(
  target: SshTarget,
  { script, stdin }: { script: string; stdin: string },
): Promise<void> {
  const { code, stderr } = await ssh(target, { script, stdin, onWords: (words) => process.stderr.write(words) });
  if (code !== 0)
    throw new Error(`the machine at ${target.ip} did not get ready (ended with ${code}):\n${stderr.trim()}`);
}

/**
 * Runs a command on the machine with this process's own input, output and terminal. Returns its exit code. ssh ends with
 * 255 when it cannot reach the machine, and has said why.
 */
export async function runOnMachine(target: SshTarget, command: string): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), "lifeboat-ssh-"));
  const isTerminal = process.stdin.isTTY && process.stdout.isTTY;
  try {
    const words = [isTerminal ? "-t" : "-T", ...sshArguments(target, prepareKnownHosts(target, folder)), command];
    const child = spawn("ssh", words, { stdio: "inherit" });
    process.on("SIGINT", waitForIt);
    const [code] = await once(child, "close");
    process.off("SIGINT", waitForIt);
    return typeof code === "number" ? code : unreachable;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const unreachable = 255;

/** Ctrl-C reaches ssh by itself, and the command there ends in its own way. */
function waitForIt(): void {}

type Run = { script: string; stdin: string; limitMs?: number; onWords?: (words: string) => void };

async function ssh(target: SshTarget, run: Run) {
  const folder = mkdtempSync(join(tmpdir(), "lifeboat-ssh-"));
  try {
    const child = spawn("ssh", [...sshArguments(target, prepareKnownHosts(target, folder)), run.script], {
      stdio: ["pipe", "ignore", "pipe"],
      ...(run.limitMs !== undefined && { timeout: run.limitMs }),
    });
    // A remote side that does not read its input closes it. Its exit code says the rest.
    child.stdin.on("error", () => child.stdin.destroy());
    child.stdin.end(run.stdin);
    const closed = once(child, "close");
    if (run.onWords !== undefined) child.stderr.setEncoding("utf8").on("data", run.onWords);
    const [stderr, [code]] = await Promise.all([text(child.stderr), closed]);
    return { code: code === null ? null : Number(code), stderr };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

// Trusted keys come from the bucket each time, so none has to be stored on this computer.
function prepareKnownHosts({ server, hostKeys = [] }: SshTarget, folder: string): string {
  const path = join(folder, "known_hosts");
  writeFileSync(path, hostKeys.map((key) => `lifeboat-${server} ${key}\n`).join(""));
  return path;
}
