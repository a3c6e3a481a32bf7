import type { Logger } from "pino";

import { bootMachine } from "./boot/boot-machine.ts";
import { type AppConfig, readConfig } from "./config.ts";
import { exitCodes } from "./exit-codes.ts";
import { runProcess } from "./run-process.ts";

await runProcess(readConfig, boot);

/**
 * Restores on boot: a oneshot that runs before Litestream and the app. Its exit code tells the supervisor what to do.
 */
async function boot({ machine }: AppConfig, log: Logger): Promise<number> {
  const report = await bootMachine(machine, { log });
  switch (report.outcome) {
    case "resumed":
    case "claimed":
      if (report.fence === "advisory") log.warn({}, "the store has no compare-and-swap: the fence is only advisory");
      log.info({ report }, "boot done");
      return 0;
    case "refused":
      log.error({ report }, "boot refused");
      return exitCodes.refused;
    case "lost":
      log.error({ report }, "another machine won the claim");
      return exitCodes.lostClaim;
    default:
      return report.outcome satisfies never;
  }
}
