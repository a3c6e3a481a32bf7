import { CommandRejected } from "../database/write-outcome.ts";
import type { InvoiceLine } from "./invoice-input.ts";

/**
 * Adds up lines in integer cents. Throws CommandRejected `amount-too-large` (422) as soon as the sum leaves
 * the integers that a JavaScript number holds exactly (2^53 - 1): a rounded amount is a wrong amount.
 */
export function sumCents(lines: InvoiceLine[]): number {
  let totalCents = 0;
  for (const { quantity, unitCents } of lines) totalCents = exact(totalCents + quantity * unitCents);
  return totalCents;
}

function exact(cents: number): number {
  if (Number.isSafeInteger(cents)) return cents;
  const detail = `The total must not exceed ${Number.MAX_SAFE_INTEGER} cents; split the invoice.`;
  throw new CommandRejected("amount-too-large", 422, detail);
}
