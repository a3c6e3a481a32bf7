/**
 * After this long the replica is synced and head is read though nobody asks: the age that /ready shows must not be a
 * guess.
 */
export const heartbeatMs = 10_000;
/** A base above this size takes longer to upload than a request should wait. */
export const quickBaseBytes = 32 * 1024 * 1024;
export const unanswered = "the sync has not been answered yet";

const retryMs = 250;
const openingRetryMs = 20;
const quickOpeningMs = 10_000;

/**
 * The pause after a round that failed. While the epoch opens, Litestream may not be up or have no database yet, and the
 * first acknowledgement waits for it: so ask often.
 */
export function retryAfterMs(state: "opening" | "living" | "fenced", openForMs: number): number {
  return state === "opening" && openForMs < quickOpeningMs ? openingRetryMs : retryMs;
}
