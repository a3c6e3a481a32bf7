import type { Log } from "../app/log.ts";

export type Logged = { level: keyof Log; event: string; details: object };

/** A log that keeps its lines. */
export function recordLog(): { log: Log; logged: Logged[] } {
  const logged: Logged[] = [];
  const keep = (level: keyof Log) => (details: object, event: string) => void logged.push({ level, event, details });
  return { log: { info: keep("info"), warn: keep("warn"), error: keep("error") }, logged };
}
