import type { IncomingHttpHeaders } from "node:http";

import type { Durability } from "../database/write-outcome.ts";
import { Problem } from "./problem.ts";

/** Reads the Durability header, or gives the route's default. Throws Problem `invalid-durability` (400). */
export function readDurability(headers: IncomingHttpHeaders, byDefault: Durability): Durability {
  const value = headers["durability"];
  if (value === undefined) return byDefault;
  if (value === "commit" || value === "disk" || value === "bucket") return value;
  throw new Problem(400, "invalid-durability", "Durability must be commit, disk or bucket.");
}
