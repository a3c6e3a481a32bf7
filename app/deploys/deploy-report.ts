import { type Static, Type } from "typebox";

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
 * What became of a deploy. `serving`: the machine answers /ready with it. `stopped`: the services are stopped, and
 * everything is in the bucket. `rolled-back`: it did not get ready, and what was before serves again. `refused`: nothing
 * was touched. `failed`: it did not get ready, and there is no way back. All but `working` are final.
 */
export type DeployReport = Static<typeof DeployReportSchema>;

/** The key of a deploy's report. */
export function deployReportKey(deploy: string): string {
  return `reports/deploys/${deploy}.json`;
}

/** How often a machine asks for the wish. It decides the price (infra/cost/count-requests.ts). */
export const askEveryMs = 3_000;

/** How often a machine says that it still works on a deploy. */
export const sayEveryMs = 30_000;
