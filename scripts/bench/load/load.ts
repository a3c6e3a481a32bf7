/** What to ask of a server on loopback, and how. */
export type Load = Readonly<{
  port: number;
  headers: Readonly<Record<string, string>>;
  /** The paths to read, one after the other. Empty: only creates. */
  reads: readonly string[];
  /** One request in so many creates a customer; 0: none does. */
  createEvery: number;
  createPath: string;
  /** Sent with creates only. */
  createHeaders: Readonly<Record<string, string>>;
  /** Makes the customers of this round different from all others. */
  mark: string;
  connections: number;
  /** How many requests a connection sends before it reads the answers. */
  pipelining: number;
  durationMs: number;
  /** 202 counts as a refusal: less was reached than was asked for. wrk cannot tell it from a success. */
  isStrict: boolean;
  /** Send so many a second, whether or not the ones before were answered. Null: each waits for its answer. */
  perSecond: number | null;
}>;

/** The body of the customer number `count`. */
export function customerBody(mark: string, count: number | string): string {
  return JSON.stringify({ name: "Ada Lovelace", email: `ada-${mark}-${count}@example.com` });
}
