/**
 * Tells the supervisor how a process of the machine ended. `config`, `refused`, `lostClaim` and `fenced` must not be
 * restarted: another start would end the same way, or do harm.
 */
export const exitCodes = {
  config: 78,
  refused: 100,
  lostClaim: 101,
  fenced: 102,
} as const;
