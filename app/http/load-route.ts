import { Type } from "typebox";

import type { Reports } from "../database/reports.ts";
import type { SlowReadings } from "../database/slow-readings.ts";
import { loadPath } from "./kit-paths.ts";
import type { Server } from "./product-routes.ts";

const strict = { additionalProperties: false };

const Load = Type.Object(
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
  },
  strict,
);

/** What the server shows of its load. */
type LoadView = { reports: Pick<Reports, "describe">; slowReadings: Pick<SlowReadings, "list"> };

/** Adds GET /load: the reports since the server started, and the readings that should be one. */
export function addLoadRoute(server: Server, { reports, slowReadings }: LoadView): void {
  server.get(loadPath, { schema: { response: { 200: Load } } }, async () => ({
    reports: reports.describe(),
    slowReadings: slowReadings.list(),
  }));
}
