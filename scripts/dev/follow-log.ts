import { closeSync, existsSync, openSync, readSync } from "node:fs";

import { renderLogLine } from "../../app/cli/render-log-line.ts";

const everyMs = 100;
const chunkBytes = 64 * 1024;

/** Passes on a growing log line by line. `flush` passes on what is there now. */
export type LogFollower = Disposable & { flush(): void };

/** Follows a log from its start, even before it exists. */
export function followLog(path: string, tell: (line: string) => void): LogFollower {
  const buffer = Buffer.alloc(chunkBytes);
  const decoder = new TextDecoder();
  let position = 0;
  let rest = "";
  const flush = () => {
    if (!existsSync(path)) return;
    const file = openSync(path, "r");
    try {
      for (let bytes = -1; bytes !== 0;) {
        bytes = readSync(file, buffer, 0, buffer.length, position);
        position += bytes;
        const lines = (rest + decoder.decode(buffer.subarray(0, bytes), { stream: true })).split("\n");
        rest = lines.pop() ?? "";
        for (const line of lines) tell(line);
      }
    } finally {
      closeSync(file);
    }
  };
  const timer = setInterval(flush, everyMs);
  return { flush, [Symbol.dispose]: () => clearInterval(timer) };
}

/** A line of the app's log for a developer, whom `next`, meant for operators of a deployed machine, tells nothing. */
export function renderDevLine(line: string): string {
  const { time, text } = renderLogLine(line, ["next"]);
  return time === null ? text : `${time.toLocaleTimeString("en-GB")} ${text}`;
}
