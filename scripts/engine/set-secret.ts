import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";

import type { Stack } from "@pulumi/pulumi/automation/index.js";

const settingLimitMs = 60_000;

/** Sets a secret of a stack's config by `pulumi`'s stdin: the Automation API would show it on a command line. Throws with what `pulumi` says. */
export async function setSecret({ name, workspace }: Stack, key: string, secret: string): Promise<void> {
  const words = ["config", "set", "--secret", "--stack", name, "--non-interactive", key];
  const child = spawn(workspace.pulumiCommand.command, words, {
    cwd: workspace.workDir,
    env: { ...process.env, ...workspace.envVars },
    stdio: ["pipe", "ignore", "pipe"],
    timeout: settingLimitMs,
  });
  child.stdin.on("error", () => child.stdin.destroy());
  child.stdin.end(secret);
  const closed = once(child, "close");
  const [stderr, [code]] = await Promise.all([text(child.stderr), closed]);
  if (code !== 0) throw new Error(`setting ${key} of stack ${name}: ${stderr.trim()}`);
}
