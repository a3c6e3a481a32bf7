import { randomUUID } from "node:crypto";

const timeAndCounter = /^([0-9a-f]{8})-([0-9a-f]{4})-7([0-9a-f]{3})-/;
const counterBits = 12n;

/**
 * Makes a UUID version 7 (RFC 9562, section 6.2, method 1) that sorts after `newest`, the greatest id of its table.
 * So the order of ids is the order of creation, also when a new machine's clock is behind the old one's.
 */
export function nextId(newest: string | undefined, nowMs: number): string {
  const now = BigInt(nowMs) << counterBits;
  const afterNewest = newest === undefined ? 0n : readTimeAndCounter(newest) + 1n;
  const digits = (now > afterNewest ? now : afterNewest).toString(16).padStart(15, "0");
  const variantAndRandom = randomUUID().slice("00000000-0000-0000-".length);
  return `${digits.slice(0, 8)}-${digits.slice(8, 12)}-7${digits.slice(12)}-${variantAndRandom}`;
}

function readTimeAndCounter(id: string): bigint {
  const parts = timeAndCounter.exec(id);
  if (parts === null)
    throw new Error(`id "${id}" is no UUID version 7: somebody else wrote it; give that row another id`);
  return BigInt(`0x${parts.slice(1).join("")}`);
}
