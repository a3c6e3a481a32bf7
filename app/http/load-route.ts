import { Load } from "../load/load.ts";
import { loadPath } from "./kit-paths.ts";
import type { Server } from "./product-routes.ts";

/** What describes the load of the machine. */
export type LoadView = { describe: () => Load };

/** Adds GET /load: what the machine carries, how much it could, and when to leave it. */
export function addLoadRoute(server: Server, load: LoadView): void {
  server.get(loadPath, { schema: { response: { 200: Load } } }, async () => load.describe());
}
