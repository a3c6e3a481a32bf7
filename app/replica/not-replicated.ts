/**
 * Committed on this machine, but not proven to be in the bucket. `message` may be shown to clients, `cause` is for the
 * log.
 */
export class NotReplicated extends Error {
  override readonly name = "NotReplicated";
}
