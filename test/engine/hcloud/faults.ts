/** What a test breaks. */
export type Faults = Readonly<{
  /**
   * Server types that are sold out, "TYPE" everywhere or "TYPE@LOCATION": the catalogue says so, and a call that needs
   * one answers `resource_unavailable`.
   */
  soldOut: readonly string[];
  /** The same, between the look at the catalogue and the call. */
  soldOutMeanwhile: readonly string[];
  /** Commands of actions that end in an error. */
  failedActions: readonly string[];
  /** How many requests from now on are answered with 429. */
  rateLimited: number;
  /** How many times longer actions take. */
  slowness: number;
  /** Requests that are answered with 500, such as "POST servers". */
  brokenRequests: readonly string[];
}>;

export const noFaults: Faults = {
  soldOut: [],
  soldOutMeanwhile: [],
  failedActions: [],
  rateLimited: 0,
  slowness: 1,
  brokenRequests: [],
};
