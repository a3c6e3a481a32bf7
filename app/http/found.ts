import { Type } from "typebox";

import { Problem } from "./problem.ts";

export const IdParams = Type.Object({ id: Type.String() });

/** Gives the thing back when it is there. Throws Problem `not-found` (404) when it is not. */
export function found<Thing>(thing: Thing | undefined, what: string): Thing {
  if (thing !== undefined) return thing;
  throw new Problem(404, "not-found", `There is no ${what}.`);
}
