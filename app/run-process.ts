import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";

import { destination } from "pino";
import type { Logger } from "pino";

import { ConfigFault } from "./environment.ts";
import { exitCodes } from "./exit-codes.ts";
import { openLog } from "./log.ts";

/**
 * Runs one process of the machine: reads its configuration, opens the log, and ends with the exit code that `main`
 * returns. An error is logged here, once, and ends with 1: a restart may cure it.
 */
export async function runProcess<Config extends { logLevel: string }>(
  readSettings: (environment: NodeJS.ProcessEnv) => Config,
  main: (config: Config, log: Logger) => Promise<number>,
): Promise<never> {
  let config: Config;
  try {
    config = readSettings(process.env);
  } catch (error) {
    if (!(error instanceof ConfigFault)) throw error;
    process.stderr.write(`${error.message}; when that is right: npm run up; by hand: docs/runbooks/by-hand.md\n`);
    process.exit(exitCodes.config);
  }
  const output = destination({ dest: 1, sync: false });
  const log = openLog(config.logLevel, output);
  try {
    const code = await main(config, log);
    if (code === 0) process.exit(code);
    log.info({ code }, "ended");
    return await endAtOnce(code, output);
  } catch (err) {
    log.fatal({ err }, "ended by a failure; a restart may cure it");
    return await endAtOnce(1, output);
  }
}

type LogOutput = ReturnType<typeof destination>;

const lastWordsMs = 300;

/**
 * Ends without waiting for the writer thread, as `process.exit` does. A thread that SQLite does not return from would
 * keep alive a process that must not serve any more. The kernel releases its locks. Only the log is waited for.
 */
async function endAtOnce(code: number, output: LogOutput): Promise<never> {
  await Promise.race([once(output, "drain"), sleep(lastWordsMs)]);
  process.removeAllListeners("warning");
  process.execve?.("/bin/sh", ["sh", "-c", `exit ${code}`], {});
  return process.exit(code);
}
