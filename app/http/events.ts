import { randomUUID } from "node:crypto";
import { Readable } from "node:stream";

import type { FastifyRequest } from "fastify";
import { Type } from "typebox";

import type { Commit } from "../database/commit-feed.ts";
import { Problem } from "./problem.ts";
import type { RouteContext, Server } from "./product-routes.ts";

/** What a stream sends for a commit. `data` becomes JSON. */
export type StreamEvent = { event: string; data: unknown };

type EventStreamOptions = Pick<RouteContext, "onCommit"> & {
  /** Makes the event of a commit. Null: no event. */
  toEvent: (commit: Commit) => StreamEvent | null;
  limits?: Partial<StreamLimits>;
};

type StreamLimits = {
  heartbeatMs: number;
  mostStreams: number;
  /** How much may wait for a client that does not read, before its stream is broken off. */
  mostWaitingBytes: number;
  /** How much is kept of past events, for clients that reconnect. */
  mostKeptBytes: number;
};

const usualLimits: StreamLimits = {
  heartbeatMs: 15_000,
  mostStreams: 200,
  // More than the events of one group of commits, which all come at once: a fast client must not be dropped for them.
  mostWaitingBytes: 1024 * 1024,
  mostKeptBytes: 256 * 1024,
};

const events = Type.Unsafe<Readable>(Type.String());
const described = {
  response: { 200: { description: "Events", content: { "text/event-stream": { schema: events } } } },
};

/** Adds a GET route that sends commits as server-sent events until the client leaves or the server stops. */
export function addEventStream(server: Server, path: string, { onCommit, toEvent, limits }: EventStreamOptions): void {
  const streams = new EventStreams({ ...usualLimits, ...limits });
  onCommit((commit) => {
    const event = toEvent(commit);
    if (event !== null) streams.publish(event);
  });
  server.addHook("preClose", (done) => {
    streams.end();
    done();
  });
  // No HEAD: it would open a stream that nobody reads.
  server.get(path, { exposeHeadRoute: false, schema: described }, (request, reply) => {
    const stream = streams.open(request);
    void reply.headers({ "content-type": "text/event-stream", "x-accel-buffering": "no" }).send(stream);
  });
}

type Listener = { stream: Readable; request: FastifyRequest };

class EventStreams {
  readonly #limits: StreamLimits;
  /** The prefix of all event ids. After a restart it is another one, because past events are lost. */
  readonly #life = randomUUID().slice(0, 8);
  readonly #listeners = new Set<Listener>();
  readonly #kept: { number: number; bytes: Buffer }[] = [];
  #keptBytes = 0;
  #count = 0;
  #isOver = false;
  #heartbeat: NodeJS.Timeout | undefined;

  constructor(limits: StreamLimits) {
    this.#limits = limits;
  }

  open(request: FastifyRequest): Readable {
    if (this.#listeners.size >= this.#limits.mostStreams) {
      const detail = "This server has as many event streams as it allows. Try again later.";
      throw new Problem(503, "too-many-streams", detail, { headers: { "retry-after": "30" } });
    }
    const stream = new Readable({ read: () => undefined });
    const listener = { stream, request };
    this.#listeners.add(listener);
    stream.once("close", () => this.#forget(listener));
    this.#heartbeat ??= setInterval(() => this.#sendHeartbeat(), this.#limits.heartbeatMs).unref();
    stream.push(`retry: 2000\n\n${this.#renderMissed(request.headers["last-event-id"])}`);
    if (this.#isOver) stream.push(null);
    return stream;
  }

  publish({ event, data }: StreamEvent): void {
    const number = ++this.#count;
    // One buffer for all streams.
    const bytes = Buffer.from(`id: ${this.#life}-${number}\nevent: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
    this.#kept.push({ number, bytes });
    this.#keptBytes += bytes.length;
    while (this.#keptBytes > this.#limits.mostKeptBytes) this.#keptBytes -= this.#kept.shift()?.bytes.length ?? 0;
    for (const listener of this.#listeners) this.#send(listener, bytes);
  }

  /** Ends all streams, and each that is opened from now on: its request was let in before. */
  end(): void {
    this.#isOver = true;
    for (const { stream } of this.#listeners) stream.push(null);
  }

  /**
   * Renders the events that a reconnecting client has missed, or `reset` when they are not known: then it must read all
   * again.
   */
  #renderMissed(lastId: string | string[] | undefined): string {
    if (typeof lastId !== "string" || lastId === "") return "";
    const [life, seen] = lastId.split("-", 2);
    const first = this.#kept[0]?.number ?? this.#count + 1;
    const isKnown = life === this.#life && Number(seen) >= first - 1 && Number(seen) <= this.#count;
    if (!isKnown) return `id: ${this.#life}-${this.#count}\nevent: reset\ndata: {}\n\n`;
    return this.#kept.flatMap(({ number, bytes }) => (number > Number(seen) ? [bytes.toString()] : [])).join("");
  }

  /** Sends a comment, so that no proxy closes the connection, and ends the streams whose session or token has ended. */
  #sendHeartbeat(): void {
    for (const listener of this.#listeners) {
      if (listener.request.isStillLetIn()) this.#send(listener, ": still here\n\n");
      else listener.stream.push(null);
    }
  }

  #send({ stream, request }: Listener, content: Buffer | string): void {
    if (stream.readableLength <= this.#limits.mostWaitingBytes) stream.push(content);
    // The client reconnects with Last-Event-ID, and gets what is kept.
    else request.raw.destroy();
  }

  #forget(listener: Listener): void {
    this.#listeners.delete(listener);
    if (this.#listeners.size > 0) return;
    clearInterval(this.#heartbeat);
    this.#heartbeat = undefined;
  }
}
