import type { Logger } from "pino";

import { ConfigFault } from "./environment.ts";
import { exitCodes } from "./exit-codes.ts";
import { LogOutput } from "./log-output.ts";
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
  const output = new LogOutput(1);
  const log = openLog(config.logLevel, output);
  output.onDropped((lines) => log.warn({ lines }, "lines about requests were dropped: nobody read the log"));
  try {
    const code = await main(config, log);
    if (code === 0) {
      await output.flush(lastWordsMs);
      process.exit(code);
    }
    log.info({ code }, "ended");
    return await endAtOnce(code, output);
  } catch (err) {
    log.fatal({ err }, "ended by a failure; a restart may cure it");
    return await endAtOnce(1, output);
  }
}

const lastWordsMs = 300;

/**
 * Ends without waiting for the writer thread, as `process.exit` does. A thread that SQLite does not return from would
 * keep alive a process that must not serve any more. The kernel releases its locks. Only the log is waited for.
 */
async function endAtOnce(code: number, output: LogOutput): Promise<never> {
  await output.flush(lastWordsMs);
  process.removeAllListeners("warning");
  process.execve?.("/bin/sh", ["sh", "-c", `exit ${code}`], {});
  return process.exit(code);
}
