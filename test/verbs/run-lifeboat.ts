import { spawnSync } from "node:child_process";
import { join } from "node:path";

const program = join(import.meta.dirname, "../../app/lifeboat.ts");

/** Runs the program as it is typed on a machine. */
export function runLifeboat(words: readonly string[], environment: NodeJS.ProcessEnv = {}) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, ...words], {
    encoding: "utf8",
    env: { PATH: process.env["PATH"], ...environment },
    timeout: 60_000,
  });
  return { status, stdout, stderr };
}
