import type { FastifyReply, FastifyRequest } from "fastify";

import type { Report } from "../database/report.ts";
import type { Reports } from "../database/reports.ts";

/** Runs a report in the process of reports, and answers with its result. */
export type AnswerReport = <Input, Result>(
  request: FastifyRequest,
  reply: FastifyReply,
  asked: { report: Report<Input, Result>; input: Input },
) => Promise<Result>;

/** Makes the function that answers with a report. It ends the report of a client that hangs up. */
export function createAnswerReport(reports: Pick<Reports, "run">): AnswerReport {
  return async (_request, reply, { report, input }) => {
    const gone = new AbortController();
    reply.raw.once("close", () => gone.abort());
    const resultJson = await reports.run(report.name, input, gone.signal);
    // It is JSON already, and as large as the answer may be: it is not parsed here.
    return reply.type("application/json; charset=utf-8").send(resultJson);
  };
}
