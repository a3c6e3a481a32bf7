import type { Logger } from "pino";

import { ConfigFault, readConfig, type AppConfig } from "./config.ts";
import { exitCodes } from "./exit-codes.ts";
import { openLog } from "./http/log.ts";

/**
 * Runs one process of the machine: reads the configuration, opens the log, and ends with the exit code that `main`
 * returns. What it throws is logged here, once, and ends with 1: a restart may cure it.
 */
export async function runProcess(main: (config: AppConfig, log: Logger) => Promise<number>): Promise<never> {
  let config: AppConfig;
  try {
    config = readConfig(process.env);
  } catch (error) {
    if (!(error instanceof ConfigFault)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exit(exitCodes.config);
  }
  const log = openLog(config.logLevel);
  try {
    const code = await main(config, log);
    return code === 0 ? process.exit(0) : endAtOnce(code);
  } catch (err) {
    log.fatal({ err }, "ended by a failure; a restart may cure it");
    return endAtOnce(1);
  }
}

/**
 * Ends without waiting for anything. `process.exit` waits for the writer thread, and one that SQLite does not return
 * from would keep a process for ever that must not serve any more. The kernel gives back its locks.
 */
function endAtOnce(code: number): never {
  process.removeAllListeners("warning");
  process.execve?.("/bin/sh", ["sh", "-c", `exit ${code}`], {});
  return process.exit(code);
}
