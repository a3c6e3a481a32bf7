import { Type } from "typebox";

import type { Writer } from "../database/writer.ts";
import type { Replica } from "./answer-write.ts";
import { Problem } from "./problem.ts";
import type { Server } from "./product-routes.ts";

/** The part of the writer that /ready shows. */
export type WriterHealth = Pick<Writer, "state" | "queueLength" | "walBytes" | "oldestWriteMs" | "cause">;

/** What readiness is judged by. */
export type Health = { writer: WriterHealth; replication: Replica; findStartCause: () => string | null };

const ReadyQuery = Type.Object({ replicated: Type.Optional(Type.String()) });

/**
 * Adds GET /up, which answers 200 while the process runs, and GET /ready, which answers 503 while writes are refused or
 * the replica is broken. With `?replicated=60s` it answers 503 also when the last checked sync is older than that.
 */
export function addHealthRoutes(server: Server, health: Health): void {
  const { writer, replication } = health;
  server.get("/up", { logLevel: "warn" }, async () => ({ status: "up" }));

  server.get("/ready", { logLevel: "warn", schema: { querystring: ReadyQuery } }, async ({ query }, reply) => {
    const withinMs = query.replicated === undefined ? null : readReplicatedWithin(query.replicated);
    const { status, cause } = judgeHealth(health, withinMs);
    return reply.code(status === "ready" ? 200 : 503).send({
      status,
      ...(cause !== null && { cause }),
      state: replication.state,
      epoch: replication.epoch,
      fence: replication.fence,
      replicaFault: replication.replicaFault,
      replicatedAgeMs: replication.replicatedAgeMs,
      uploadProgress: replication.uploadProgress,
      walBytes: writer.walBytes,
      queueLength: writer.queueLength,
      oldestWriteMs: writer.oldestWriteMs,
    });
  });
}

type Status = "ready" | "starting" | "refusing-writes" | "replica-broken" | "not-replicated";

/** Judges whether the machine is ready, and says why not. `withinMs` limits the age of the last checked sync. */
export function judgeHealth(health: Health, withinMs: number | null): { status: Status; cause: string | null } {
  const startCause = health.findStartCause();
  if (startCause !== null) return { status: "starting", cause: startCause };
  return { status: judgeStarted(health, withinMs), cause: health.writer.cause };
}

function judgeStarted({ writer, replication }: Health, withinMs: number | null): Status {
  if (writer.state !== "accepting" || replication.state === "fenced") return "refusing-writes";
  if (replication.replicaFault !== null) return "replica-broken";
  const isStale = withinMs !== null && (replication.replicatedAgeMs ?? Number.POSITIVE_INFINITY) > withinMs;
  return isStale ? "not-replicated" : "ready";
}

const unitMs = { s: 1_000, m: 60_000, h: 3_600_000 } as const;
/** An idle machine syncs every 10 to 12 s, so a shorter limit would fail without a fault. */
const leastMs = 15_000;

/** Reads a duration such as 60s, 5m or 1h. Throws Problem 400 for anything else, and for less than 15s. */
function readReplicatedWithin(text: string): number {
  const [, count = "", unit = ""] = /^([1-9]\d{0,5})([smh])$/.exec(text) ?? [];
  const limitMs = unit === "s" || unit === "m" || unit === "h" ? Number(count) * unitMs[unit] : 0;
  if (limitMs >= leastMs) return limitMs;
  throw new Problem(400, "invalid-request", "replicated must be a duration of at least 15s, such as 60s, 5m or 1h");
}
