import { type Static, Type } from "typebox";

import { Bounds } from "./bounds.ts";
import { Figures } from "./figures.ts";
import { Trigger } from "./triggers.ts";

const strict = { additionalProperties: false };

/** How much the machine carries, and how close it is to what it can. LoadMeter describes it. */
export const Load = Type.Object(
  {
    reports: Type.Object(
      {
        running: Type.Union([Type.Object({ name: Type.String(), forMs: Type.Integer() }, strict), Type.Null()]),
        waiting: Type.Integer(),
        reports: Type.Array(
          Type.Object(
            {
              name: Type.String(),
              done: Type.Integer(),
              ended: Type.Integer({ description: "without an answer: too slow, too large, or nobody waited any more" }),
              lastMs: Type.Integer(),
              longestMs: Type.Integer(),
            },
            strict,
          ),
        ),
      },
      strict,
    ),
    slowReadings: Type.Array(
      Type.Object(
        {
          statement: Type.String({ description: "held up every other request; a report does not" }),
          count: Type.Integer(),
          longestMs: Type.Integer(),
          lastAt: Type.String(),
        },
        strict,
      ),
    ),
    window: Figures,
    bounds: Type.Union([Bounds, Type.Null()]),
    boundsFault: Type.Union([Type.String(), Type.Null()], { description: "why the stored bounds do not hold" }),
    triggers: Type.Array(Trigger, { description: "when to leave one machine with SQLite" }),
  },
  strict,
);
export type Load = Static<typeof Load>;

/** The same in a file, with its time. */
export const LoadReport = Type.Object({ at: Type.String(), load: Load }, strict);
