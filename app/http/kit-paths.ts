/** Whatever watches the machine asks these, and has no token. */
export const openKitPaths: readonly string[] = ["/up", "/ready"];

/** The product's routes as an OpenAPI document. */
export const documentPath = "/openapi.json";

/** Where browsers sign in and out, if the product has sessions. */
export const sessionPath = "/session";

/** The kit's own paths: no route of a product may be on them. */
export const kitPaths: readonly string[] = [...openKitPaths, documentPath];
