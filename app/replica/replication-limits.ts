/**
 * After this long the replica is synced and head is read though nobody asks: the age that /ready shows must not be a
 * guess.
 */
export const heartbeatMs = 10_000;
export const retryMs = 250;
/**
 * While the epoch opens, Litestream may not be up or have no database yet; the first acknowledgement waits for it, so
 * ask often.
 */
export const openingRetryMs = 20;
export const quickOpeningMs = 10_000;
export const unanswered = "the sync has not been answered yet";
/** A base above this size takes longer to upload than a request should wait. */
export const quickBaseBytes = 32 * 1024 * 1024;
