/** Monitoring asks these paths without a token. */
export const openKitPaths: readonly string[] = ["/up", "/ready"];

/** The product's routes as an OpenAPI document. */
export const documentPath = "/openapi.json";

/** Side effects, those that were given up, and jobs. */
export const backgroundPaths = {
  effects: "/effects",
  deadLetters: "/effects/dead-letters",
  retry: "/effects/dead-letters/:id/retry",
  jobs: "/jobs",
} as const;

/** How much the machine carries: reports, and readings that were slow. */
export const loadPath = "/load";

/** The same and more, for Prometheus. */
export const metricsPath = "/metrics";

/** Where browsers sign in and out, if the product has sessions. */
export const sessionPath = "/session";

/** The kit's own paths. No route of a product may be on them. */
export const kitPaths: readonly string[] = [
  ...openKitPaths,
  documentPath,
  ...Object.values(backgroundPaths),
  loadPath,
  metricsPath,
];
