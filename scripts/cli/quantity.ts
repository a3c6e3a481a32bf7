const msPerUnit = { ms: 1, s: 1000, m: 60_000 } as const;
const bytesPerUnit = { B: 1, KB: 1000, MB: 1_000_000, GB: 1_000_000_000 } as const;

/** Reads "250ms", "60s", "1.5s" or "2m" as milliseconds; throws on anything else, a bare number too: 3 may be meant as seconds. */
export function parseDurationMs(text: string): number {
  const unit = unitOf(text, msPerUnit);
  if (unit === undefined) throw new Error(`"${text}" is not a duration such as 250ms, 60s or 2m`);
  return multiply(text, unit);
}

/** Reads "300MB", "1.5GB", "64KB" or "512B"; units are decimal. Throws on anything else, a bare number too. */
export function parseSizeBytes(text: string): number {
  const unit = unitOf(text, bytesPerUnit);
  if (unit === undefined) throw new Error(`"${text}" is not a size such as 300MB or 1GB`);
  return multiply(text, unit);
}

/** What one of the unit is, that the text names behind a number; undefined when it does not look like that. */
function unitOf(text: string, units: Readonly<Record<string, number>>): number | undefined {
  const name = /^\d+(?:\.\d+)?([A-Za-z]+)$/.exec(text)?.[1] ?? "";
  return Object.hasOwn(units, name) ? units[name] : undefined;
}

function multiply(text: string, unit: number): number {
  const amount = Math.round(Number.parseFloat(text) * unit);
  if (!Number.isSafeInteger(amount)) throw new Error(`"${text}" is too much`);
  return amount;
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
