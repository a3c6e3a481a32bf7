import { execFile } from "node:child_process";
import { join } from "node:path";
import { execPath } from "node:process";
import { promisify } from "node:util";

const execute = promisify(execFile);

/** Runs one of the child scripts, behind a launcher if given, and reads the JSON of its last line. */
export async function runChild(
  script: string,
  childArguments: readonly string[],
  launcher: readonly string[] = [],
): Promise<unknown> {
  const path = join(import.meta.dirname, "children", script);
  const [command = execPath, ...rest] = [...launcher, execPath, path, ...childArguments];
  const { stdout } = await execute(command, rest, { timeout: 60_000, killSignal: "SIGKILL" });
  return JSON.parse(stdout.trim().split("\n").at(-1) ?? "");
}
