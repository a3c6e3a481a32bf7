import { Type } from "typebox";

import type { Background } from "../background/background.ts";
import { sendAgain } from "../database/outbox-commands.ts";
import { listDeadLetters } from "../database/outbox.ts";
import { backgroundPaths } from "./kit-paths.ts";
import type { RouteContext, Server } from "./product-routes.ts";
import { IdParams, pageOf, pageQuery, readPage } from "./reads.ts";

/** What the server shows of side effects and jobs. */
export type BackgroundView = Pick<Background, "describeEffects" | "describeJobs">;

const strict = { additionalProperties: false };
const TextOrNull = Type.Union([Type.String(), Type.Null()]);

const Effects = Type.Object(
  {
    held: TextOrNull,
    handlers: Type.Array(
      Type.Object(
        { name: Type.String(), waiting: Type.Integer(), oldestSentAt: TextOrNull, cause: TextOrNull },
        strict,
      ),
    ),
    deadLetters: Type.Integer(),
  },
  strict,
);

const DeadLetter = Type.Object(
  {
    id: Type.String(),
    handler: Type.String(),
    payload: Type.Unknown(),
    sentAt: Type.String(),
    deadAt: Type.String(),
    attempts: Type.Integer(),
    lastError: TextOrNull,
  },
  strict,
);

const Outcome = Type.Union([Type.Literal("running"), Type.Literal("done"), Type.Literal("failed"), Type.Null()]);
const JobState = Type.Object(
  {
    name: Type.String(),
    schedule: Type.String(),
    nextAt: TextOrNull,
    lastDueAt: TextOrNull,
    lastOutcome: Outcome,
    lastNotedAt: TextOrNull,
    cause: TextOrNull,
    missed: Type.Integer(),
  },
  strict,
);
const Jobs = Type.Object({ held: TextOrNull, jobs: Type.Array(JobState) }, strict);

const ListQuery = Type.Object(pageQuery, strict);
// The URL says all: no body, or an empty object.
const Retry = Type.Union([Type.Null(), Type.Object({}, strict)]);

/** Adds GET /effects, GET /effects/dead-letters, POST /effects/dead-letters/:id/retry and GET /jobs. */
export function addBackgroundRoutes(
  server: Server,
  background: BackgroundView,
  { reader, answerWrite }: Pick<RouteContext, "reader" | "answerWrite">,
): void {
  server.get(backgroundPaths.effects, { schema: { response: { 200: Effects } } }, async () =>
    background.describeEffects(),
  );
  const list = { schema: { querystring: ListQuery, response: { 200: pageOf(DeadLetter) } } };
  server.get(backgroundPaths.deadLetters, list, async ({ query }) =>
    readPage(reader, { list: "dead-letters", query, select: listDeadLetters }),
  );
  const retry = { schema: { params: IdParams, body: Retry, response: { 200: IdParams } } };
  server.post(backgroundPaths.retry, retry, (request, reply) =>
    answerWrite(request, reply, { command: sendAgain, input: { id: request.params.id }, status: 200 }),
  );
  server.get(backgroundPaths.jobs, { schema: { response: { 200: Jobs } } }, async () => background.describeJobs());
}
