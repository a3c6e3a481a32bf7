import { type Static, Type } from "typebox";

import { releaseOf, type WantedRelease } from "./wanted-release.ts";

const text = Type.Union([Type.String(), Type.Null()]);

export const DeployReportSchema = Type.Object({
  format: Type.Literal(1),
  deploy: Type.String(),
  /** As in the wish. Reports of older machines lack it. */
  way: Type.Optional(Type.String()),
  outcome: Type.Union([
    Type.Literal("working"),
    Type.Literal("serving"),
    Type.Literal("stopped"),
    Type.Literal("rolled-back"),
    Type.Literal("refused"),
    Type.Literal("failed"),
  ]),
  sha256: Type.String(),
  /** The release that ran when the deploy began. */
  previous: text,
  cause: text,
  next: text,
  /** What the services said last. */
  words: text,
  machine: Type.String(),
  startedAt: Type.String(),
  /** When its machine last said that it works on it. */
  seenAt: Type.String(),
  /** Null while it works. */
  endedAt: text,
});

/**
 * What became of a deploy. `working` with a cause: it waits, and nothing was begun. `serving`: the machine answers
 * /ready with it. `stopped`: the services are stopped, and everything is in the bucket. `rolled-back`: it did not get
 * ready, and what was before serves again. `refused`: nothing was touched. `failed`: the machine does not serve. All but
 * `working` are final.
 */
export type DeployReport = Static<typeof DeployReportSchema>;

type EndedReport = DeployReport & { outcome: Exclude<DeployReport["outcome"], "working"> };

/** The report of a deploy that begins now, on a machine with its current release. */
export function draftReport(wish: WantedRelease, machine: string, current: string | null): DeployReport {
  const now = new Date().toISOString();
  return {
    format: 1,
    deploy: wish.deploy,
    way: wish.way,
    outcome: "working",
    sha256: releaseOf(wish) ?? current ?? "",
    previous: current,
    cause: null,
    next: null,
    words: null,
    machine,
    startedAt: now,
    seenAt: now,
    endedAt: null,
  };
}

/** Whether a deploy has ended, one way or another. */
export function isOver(report: DeployReport | null | undefined): report is EndedReport {
  return report !== null && report !== undefined && report.outcome !== "working";
}

/** Whether nothing was begun yet: then whoever wished may still take the wish back. */
export function isWaiting(report: DeployReport | null | undefined): boolean {
  return report === null || report === undefined || (report.outcome === "working" && report.cause !== null);
}

/** The key of a deploy's report. */
export function deployReportKey(deploy: string): string {
  return `reports/deploys/${deploy}.json`;
}

/** How often a machine asks for the wish. It decides the price (infra/cost/count-requests.ts). */
export const askEveryMs = 3_000;

/** How often a machine says that it still works on a deploy. */
export const sayEveryMs = 30_000;

/**
 * A deploy of which nothing was heard for so long may be replaced by another one, and a machine does not begin any more
 * what was meant for it alone: whoever wished has given up.
 */
export const silenceLimitMs = 600_000;
