import { Problem } from "./problem.ts";

const unitMs = { s: 1_000, m: 60_000, h: 3_600_000 } as const;
/** An idle replica is proven every 10 to 12 s, so that a shorter limit would fail though nothing is wrong. */
const leastMs = 15_000;

/** Reads a duration such as 60s, 5m or 1h. Throws Problem 400 for anything else, and for less than 15s. */
export function readReplicatedWithin(text: string): number {
  const [, count = "", unit = ""] = /^([1-9]\d{0,5})([smh])$/.exec(text) ?? [];
  const limitMs = unit === "s" || unit === "m" || unit === "h" ? Number(count) * unitMs[unit] : 0;
  if (limitMs >= leastMs) return limitMs;
  throw new Problem(400, "invalid-request", "replicated must be a duration of at least 15s, such as 60s, 5m or 1h");
}
