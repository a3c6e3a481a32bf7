import { Type } from "typebox";
import { Value } from "typebox/value";

const LogLine = Type.Object({ level: Type.Integer(), time: Type.Number(), msg: Type.String() });
const levels: Record<number, string> = { 30: "info ", 40: "warn ", 50: "error", 60: "fatal" };
/** Fields that are the same in every line, or that have their own place. */
const known = new Set(["level", "time", "msg", "pid", "hostname", "err"]);

const LoggedError = Type.Object({
  message: Type.String(),
  stack: Type.String(),
  cause: Type.Optional(Type.Unknown()),
});

/**
 * Renders a line of the app's log for people, without its time. Any other line, such as the stack of a syntax error, is
 * unchanged, and has no time.
 */
export function renderLogLine(line: string, hidden: readonly string[] = []): { time: Date | null; text: string } {
  const fields = parseLine(line);
  if (!Value.Check(LogLine, fields)) return { time: null, text: line };
  const others = Object.entries(fields).filter(([name]) => !known.has(name) && !hidden.includes(name));
  const told = others.map(([name, value]) => `${name}=${typeof value === "string" ? value : JSON.stringify(value)}`);
  const head = `${levels[fields.level] ?? fields.level} ${[fields.msg, ...told].join("  ")}`;
  const text = [head, ...renderError("err" in fields ? fields.err : undefined)].join("\n");
  return { time: new Date(fields.time), text };
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
