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

/** Adds GET /up (the process lives) and GET /ready (200 unless writes are refused). */
export function addHealthRoutes(server: Server, { writer, replication, findStartCause }: Health): void {
  server.get("/up", { logLevel: "warn" }, async () => ({ status: "up" }));

  server.get("/ready", { logLevel: "warn" }, async (_request, reply) => {
    const startCause = findStartCause();
    const ready = startCause === null && writer.state === "accepting" && replication.state !== "fenced";
    const refusing = startCause === null ? "refusing-writes" : "starting";
    return reply.code(ready ? 200 : 503).send({
      status: ready ? "ready" : refusing,
      ...(startCause !== null && { cause: startCause }),
      state: replication.state,
      epoch: replication.epoch,
      fence: replication.fence,
      replicatedAgeMs: replication.replicatedAgeMs,
      uploadProgress: replication.uploadProgress,
      walBytes: writer.walBytes,
      queueLength: writer.queueLength,
      oldestWriteMs: writer.oldestWriteMs,
    });
  });
}
