const msPerUnit = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 } as const;
const bytesPerUnit = { B: 1, KB: 1000, MB: 1_000_000, GB: 1_000_000_000 } as const;

/**
 * Reads "250ms", "60s", "1.5s", "2m" or "1h" as milliseconds. Throws on anything else, including a bare number: 3 may mean
 * seconds.
 */
export function parseDurationMs(text: string): number {
  const unit = unitOf(text, msPerUnit);
  if (unit === undefined) throw new Error(`"${text}" is not a duration such as 250ms, 60s or 2m`);
  return multiply(text, unit);
}

/** Reads "300MB", "1.5GB", "64KB" or "512B". Units are decimal. Throws on anything else, including a bare number. */
export function parseSizeBytes(text: string): number {
  const unit = unitOf(text, bytesPerUnit);
  if (unit === undefined) throw new Error(`"${text}" is not a size such as 300MB or 1GB`);
  return multiply(text, unit);
}

/** The factor of the unit in the text. Undefined when the text does not have this form. */
function unitOf(text: string, units: Readonly<Record<string, number>>): number | undefined {
  const name = /^\d+(?:\.\d+)?([A-Za-z]+)$/.exec(text)?.[1] ?? "";
  return Object.hasOwn(units, name) ? units[name] : undefined;
}

function multiply(text: string, unit: number): number {
  const amount = Math.round(Number.parseFloat(text) * unit);
  if (!Number.isSafeInteger(amount)) throw new Error(`"${text}" is too much`);
  return amount;
}

/** Reads a whole number from 0 to `most`. Throws on anything else. */
export function parseWholeNumber(text: string, most: number): number {
  const number = Number(text);
  if (!/^\d+$/.test(text) || number > most) throw new Error(`"${text}" is not a whole number from 0 to ${most}`);
  return number;
}

/** Milliseconds for people: "0.42 s". */
export function renderSeconds(durationMs: number): string {
  return `${(durationMs / 1000).toFixed(2)} s`;
}
