import { LogOutput } from "../app/log-output.ts";
import { openLog } from "../app/log.ts";

// The child of log-output.test.ts: writes `count` lines, of which every seventh is no request, and ends as it is told.
const [ending = "", count] = process.argv.slice(2);
const output = new LogOutput(1);
const log = openLog("info", output);
output.onDropped((lines) => log.warn({ lines }, "lines about requests were dropped: nobody read the log"));
writeLines(0, Number(count));

const endings: Record<string, () => void | Promise<void>> = {
  exit: () => process.exit(0),
  failure: () => {
    throw new Error("the failure");
  },
  "exit-while-writing": () => {
    setImmediate(() => {
      writeLines(Number(count), 5);
      process.exit(0);
    });
  },
  flush: async () => {
    await output.flush(5_000);
    process.kill(process.pid, "SIGKILL");
  },
  "kill-later": () => void setTimeout(() => process.kill(process.pid, "SIGKILL"), 500),
  "by-itself": () => undefined,
};
await endings[ending]?.();

function writeLines(from: number, lines: number): void {
  for (let line = from; line < from + lines; line++) {
    if (line % 7 === 6) log.warn({ line }, "something else");
    else log.info({ line }, "request answered");
  }
}
