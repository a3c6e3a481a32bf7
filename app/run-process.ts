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
    process.exit(await main(config, log));
  } catch (err) {
    log.fatal({ err }, "ended by a failure; a restart may cure it");
    process.exit(1);
  }
}
