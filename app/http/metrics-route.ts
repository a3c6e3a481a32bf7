import type { FastifyReply, FastifyRequest } from "fastify";
import type { Registry } from "prom-client";

import { judgeHealth, type Health } from "./health-routes.ts";
import { metricsPath } from "./kit-paths.ts";
import type { LoadView } from "./load-route.ts";
import type { Server } from "./product-routes.ts";

/** What the metrics are read from whenever somebody asks. */
export type MetricSources = {
  health: Health;
  load: LoadView;
  measureDisk: () => { freeBytes: number; totalBytes: number };
};

type Metrics = { register: Registry; observe: (request: FastifyRequest, reply: FastifyReply) => void };

/**
 * Adds GET /metrics, in the format of Prometheus. The first request loads the library, which takes 50 ms, so that no
 * start waits for it: requests are counted from then on.
 */
export function addMetricsRoute(server: Server, sources: MetricSources): void {
  let opening: Promise<Metrics> | null = null;
  let metrics: Metrics | null = null;
  server.addHook("onResponse", (request, reply, done) => {
    metrics?.observe(request, reply);
    done();
  });
  server.get(metricsPath, { logLevel: "warn" }, async (_request, reply) => {
    opening ??= openMetrics(sources).then((opened) => (metrics = opened));
    const { register } = await opening;
    return reply.type(register.contentType).send(await register.metrics());
  });
}

const secondsBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 10];
const states = ["calm", "near", "reached"];

async function openMetrics(sources: MetricSources): Promise<Metrics> {
  const { default: library } = await import("prom-client");
  const { Gauge, Histogram, Registry, collectDefaultMetrics } = library;
  const register = new Registry();
  // Event loop delay, garbage collection, memory, processor time.
  collectDefaultMetrics({ register });
  for (const [name, { help, read }] of Object.entries(gauges(sources)))
    register.registerMetric(
      new Gauge({
        name: `lifeboat_${name}`,
        help,
        registers: [],
        collect() {
          this.set(read() ?? Number.NaN);
        },
      }),
    );
  register.registerMetric(
    new Gauge({
      name: "lifeboat_leave",
      help: "how close a reason to leave one machine is: 0 calm, 1 near, 2 reached",
      labelNames: ["trigger"],
      registers: [],
      collect() {
        for (const { trigger, state } of sources.load.describe().triggers) this.set({ trigger }, states.indexOf(state));
      },
    }),
  );
  const requests = new Histogram({
    name: "lifeboat_http_request_seconds",
    help: "how long requests took until they were answered",
    labelNames: ["method", "route", "status"],
    buckets: secondsBuckets,
    registers: [register],
  });
  const observe = (request: FastifyRequest, reply: FastifyReply): void => {
    // Of a path that no route has there are as many as callers like.
    const route = request.routeOptions.url ?? "none";
    requests.observe({ method: request.method, route, status: String(reply.statusCode) }, reply.elapsedTime / 1000);
  };
  return { register, observe };
}

type Reading = { help: string; read: () => number | null };

/** In the units that Prometheus wants: seconds and bytes. NaN is what nobody knows yet. */
function gauges({ health, load, measureDisk }: MetricSources): Record<string, Reading> {
  const { writer, replication } = health;
  const figures = () => load.describe().window;
  return {
    ready: { help: "1 when /ready says 200", read: () => (judgeHealth(health, null).status === "ready" ? 1 : 0) },
    replication_age_seconds: {
      help: "the time since the last checked sync: what was committed before it is in the bucket",
      read: () => toSeconds(replication.replicatedAgeMs),
    },
    replica_sound: {
      help: "0 when the replica was found broken",
      read: () => (replication.replicaFault === null ? 1 : 0),
    },
    write_queue_length: { help: "writes without an answer", read: () => writer.queueLength },
    oldest_write_seconds: {
      help: "how long the oldest of them waits",
      read: () => toSeconds(writer.oldestWriteMs ?? 0),
    },
    wal_bytes: { help: "the write-ahead log in use; at 536870912 writes are refused", read: () => writer.walBytes },
    disk_free_bytes: { help: "free on the file system of the database", read: () => measureDisk().freeBytes },
    disk_bytes: { help: "the size of that file system", read: () => measureDisk().totalBytes },
    writes_per_second: {
      help: "commits a second in the last quarter of an hour",
      read: () => figures().writesPerSecond.mean,
    },
    slow_readings: { help: "statements of 100 ms or more in that time", read: () => figures().slowReadings },
    reports_ended: { help: "reports that a limit ended in that time", read: () => figures().reportsEnded },
  };
}

function toSeconds(ms: number | null): number | null {
  return ms === null ? null : ms / 1000;
}
