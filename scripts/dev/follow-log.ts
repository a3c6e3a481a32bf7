import { closeSync, existsSync, openSync, readSync } from "node:fs";

import { Type } from "typebox";
import { Value } from "typebox/value";

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

const LogLine = Type.Object({ level: Type.Integer(), time: Type.Number(), msg: Type.String() });
const levels: Record<number, string> = { 30: "info ", 40: "warn ", 50: "error", 60: "fatal" };
/**
 * Fields that are the same in every line, that have their own place, or (`next`) that tell operators of a deployed
 * machine what to do.
 */
const known = new Set(["level", "time", "msg", "pid", "hostname", "err", "next"]);

const LoggedError = Type.Object({
  message: Type.String(),
  stack: Type.String(),
  cause: Type.Optional(Type.Unknown()),
});

/** Renders a line of the app's log for people. Any other line, such as the stack of a syntax error, is unchanged. */
export function renderLogLine(line: string): string {
  const fields = parseLine(line);
  if (!Value.Check(LogLine, fields)) return line;
  const clock = new Date(fields.time).toLocaleTimeString("en-GB");
  const others = Object.entries(fields).filter(([name]) => !known.has(name));
  const told = others.map(([name, value]) => `${name}=${typeof value === "string" ? value : JSON.stringify(value)}`);
  const head = `${clock} ${levels[fields.level] ?? fields.level} ${[fields.msg, ...told].join("  ")}`;
  return [head, ...renderError("err" in fields ? fields.err : undefined)].join("\n");
}

/** The message and the frames in our sources. */
function renderError(error: unknown): readonly string[] {
  if (!Value.Check(LoggedError, error)) return [];
  const frames = error.stack.split("\n").filter((line) => /^ +at .*\/app\//.test(line));
  return [`  ${error.message}`, ...frames, ...renderError(error.cause)];
}

function parseLine(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return null;
  }
}
