const msPerUnit = { ms: 1, s: 1000, m: 60_000 } as const;
const bytesPerUnit = { B: 1, KB: 1000, MB: 1_000_000, GB: 1_000_000_000 } as const;

/** Reads "250ms", "60s", "1.5s" or "2m" as milliseconds; throws on anything else. */
export function parseDurationMs(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m)$/.exec(text);
  const unit = match?.[2];
  if (unit !== "ms" && unit !== "s" && unit !== "m") {
    throw new Error(`"${text}" is not a duration such as 250ms, 60s or 2m`);
  }
  return Math.round(Number(match?.[1]) * msPerUnit[unit]);
}

/** Like parseDurationMs, and a bare number counts milliseconds. */
export function parseLimitMs(text: string): number {
  return /^\d+$/.test(text) ? Number(text) : parseDurationMs(text);
}

/** Reads "300MB", "1.5GB", "64KB" or a bare number of bytes; units are decimal. Throws on anything else. */
export function parseSizeBytes(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(B|KB|MB|GB)?$/.exec(text);
  const unit = match?.[2] ?? "B";
  if (!match || (unit !== "B" && unit !== "KB" && unit !== "MB" && unit !== "GB")) {
    throw new Error(`"${text}" is not a size such as 300MB or 1GB`);
  }
  return Math.round(Number(match[1]) * bytesPerUnit[unit]);
}

/** Reads a whole number from 0 to `most`; throws on anything else. */
export function parseWholeNumber(text: string, most: number): number {
  const number = Number(text);
  if (!/^\d+$/.test(text) || number > most) throw new Error(`"${text}" is not a whole number from 0 to ${most}`);
  return number;
}

/** Milliseconds for people: "0.42 s". */
export function renderSeconds(durationMs: number): string {
  return `${(durationMs / 1000).toFixed(2)} s`;
}
