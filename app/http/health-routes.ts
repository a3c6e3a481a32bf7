import type { Replication } from "./replication.ts";
import type { Server } from "./route-context.ts";

/** The part of the writer that health needs. */
export type WriterHealth = {
  readonly state: "accepting" | "refusing" | "stopping";
  readonly queueLength: number;
  readonly walBytes: number;
  /** How long the oldest write has waited for its answer; null when none waits. */
  readonly oldestWriteMs: number | null;
};

type Health = { writer: WriterHealth; replication: Replication; findStartCause: () => string | null };

/** Paths that answer without a token: whatever watches the machine has none. */
export const openPaths: ReadonlySet<string | undefined> = new Set(["/up", "/ready"]);

/** Adds GET /up (the process lives) and GET /ready (200 unless writes are refused or the replica is broken). */
export function addHealthRoutes(server: Server, { writer, replication, findStartCause }: Health): void {
  server.get("/up", { logLevel: "warn" }, async () => ({ status: "up" }));

  server.get("/ready", { logLevel: "warn" }, async (_request, reply) => {
    const startCause = findStartCause();
    const status = describeStatus({ writer, replication, startCause });
    return reply.code(status === "ready" ? 200 : 503).send({
      status,
      ...(startCause !== null && { cause: startCause }),
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

type Status = "ready" | "starting" | "refusing-writes" | "replica-broken";

function describeStatus(health: Omit<Health, "findStartCause"> & { startCause: string | null }): Status {
  const { writer, replication, startCause } = health;
  if (startCause !== null) return "starting";
  if (writer.state !== "accepting" || replication.state === "fenced") return "refusing-writes";
  return replication.replicaFault === null ? "ready" : "replica-broken";
}
