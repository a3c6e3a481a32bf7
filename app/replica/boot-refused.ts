import type { Refusal } from "./decide-boot.ts";

/**
 * Boot will not go on, and another start would end the same way: the row of the table, the cause, and what to do next.
 */
export class BootRefused extends Error {
  override readonly name = "BootRefused";
  readonly refusal: Refusal;

  constructor(refusal: Refusal) {
    super(`row ${refusal.row}: ${refusal.cause}; ${refusal.next}`);
    this.refusal = refusal;
  }
}
