import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";

export type ScriptRun = Readonly<{ stdout: string; stderr: string }>;
type ScriptOptions = Readonly<{ stdin: string; environment: Record<string, string>; directory: string }>;

/**
 * Runs a script with /bin/sh -c, for as long as it takes. Throws, as the real provider does, with the whole script in the
 * message.
 */
export async function runScript(script: string, { stdin, environment, directory }: ScriptOptions): Promise<ScriptRun> {
  const child = spawn("/bin/sh", ["-c", script], {
    cwd: directory,
    env: { ...process.env, ...environment },
    stdio: ["pipe", "pipe", "pipe"],
  });
  // A script that does not read its input closes it: that is no failure of the script.
  child.stdin.on("error", () => child.stdin.destroy());
  child.stdin.end(stdin);
  const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "close")]);
  if (code === 0) return { stdout: stdout.trimEnd(), stderr: stderr.trimEnd() };
  throw new Error(`exit status ${String(code)}: running ${JSON.stringify(script)}:\n${stderr.trimEnd()}`);
}
