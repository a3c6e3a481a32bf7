import { spawn } from "node:child_process";
import { createWriteStream } from "node:fs";
import { finished } from "node:stream/promises";

export type CommandOptions = {
  readonly timeoutMs: number;
  readonly env?: NodeJS.ProcessEnv;
  /** stdout goes into this file instead of into the answer. */
  readonly stdoutFile?: string;
};

/** The command ran and failed; `stderr` is all that it said. */
export class CommandFailed extends Error {
  readonly stderr: string;
  constructor(message: string, stderr: string) {
    super(message);
    this.name = "CommandFailed";
    this.stderr = stderr;
  }
}

/**
 * Runs a command without a shell and returns its stdout. Throws CommandFailed with the last lines of its stderr when
 * it fails, and "is not installed" when there is no such command; kills it after `timeoutMs`.
 */
export async function runCommand(command: string, args: string[], options: CommandOptions): Promise<string> {
  const child = spawn(command, args, {
    env: options.env ?? process.env,
    stdio: ["ignore", "pipe", "pipe"],
    timeout: options.timeoutMs,
    killSignal: "SIGKILL",
  });
  let stdout = "";
  let stderr = "";
  child.stderr.on("data", (data: Buffer) => (stderr += data.toString()));
  const file = options.stdoutFile === undefined ? undefined : createWriteStream(options.stdoutFile);
  if (file) child.stdout.pipe(file);
  else child.stdout.on("data", (data: Buffer) => (stdout += data.toString()));
  const ending = await waitForEnd(child, command);
  if (file) await finished(file);
  if (ending === "0") return stdout;
  if (ending === "SIGKILL") throw new Error(`${command} was stopped after ${options.timeoutMs / 1000} s`);
  throw new CommandFailed(`${command} ended with ${ending}: ${lastLines(stderr)}`, stderr);
}

function waitForEnd(child: ReturnType<typeof spawn>, command: string): Promise<string> {
  return new Promise((resolve, reject) => {
    child.once("error", (error: NodeJS.ErrnoException) => {
      reject(error.code === "ENOENT" ? new Error(`${command} is not installed`) : error);
    });
    child.once("close", (code, signal) => resolve(signal ?? String(code)));
  });
}

function lastLines(text: string): string {
  return text.trim().split("\n").slice(-3).join(" | ").slice(-600);
}
