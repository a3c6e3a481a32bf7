import { Type } from "typebox";

import type { Server } from "./product-routes.ts";
import { readReplicatedWithin } from "./replicated-within.ts";
import type { Replication } from "./replication.ts";

/** The part of the writer that health needs. */
export type WriterHealth = {
  readonly state: "accepting" | "refusing" | "stopping";
  readonly queueLength: number;
  readonly walBytes: number;
  /** How long the oldest write has waited for its answer; null when none waits. */
  readonly oldestWriteMs: number | null;
  /** Who or what is in the way of writes, or soon will be; null when nothing is. */
  readonly cause: string | null;
};

type Health = { writer: WriterHealth; replication: Replication; findStartCause: () => string | null };

const ReadyQuery = Type.Object({ replicated: Type.Optional(Type.String()) });

/**
 * Adds GET /up (the process lives) and GET /ready (200 unless writes are refused or the replica is broken; with
 * `?replicated=60s` also 503 while the last checked sync is older, or there was none).
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

/** What `/ready` says, and why; with `withinMs` the last checked sync may be no older. */
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
