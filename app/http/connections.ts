import type { Server as HttpServer, ServerResponse } from "node:http";
import type { Socket } from "node:net";

/** The most connections, and how long a stop waits for answers. */
export type ConnectionLimits = { most: number; closeMs: number };

/**
 * Tracks every connection and the answers that it waits for. Limits their number by closing the one that has been idle
 * longest. On a stop, closes idle connections at once and the others after a time limit.
 */
export class Connections {
  readonly #limits: ConnectionLimits;
  /** Every open connection with its pending answers, in the order of the requests. */
  readonly #answers = new Map<Socket, Set<ServerResponse>>();
  /** Connections without a complete request, the longest idle first: silent, half a header, or kept alive. */
  readonly #idle = new Set<Socket>();
  #isStopping = false;

  constructor(limits: ConnectionLimits) {
    this.#limits = limits;
  }

  /** Starts to track a server that does not listen yet. */
  follow(server: HttpServer): void {
    server.on("connection", (socket: Socket) => this.#open(socket));
    // Before Fastify's own listener, which may answer at once.
    server.prependListener("request", (request, response) => this.#begin(request.socket, response));
  }

  /** Whether a request of this socket has arrived completely and waits for its answer. */
  isAnswering(socket: Socket): boolean {
    return [...(this.#answers.get(socket) ?? [])].some(({ req }) => req.complete);
  }

  /** From now on a connection lives only until its pending answers are sent, and no longer than the limit. */
  stop(): void {
    if (this.#isStopping) return;
    this.#isStopping = true;
    for (const socket of this.#idle) socket.destroy();
    for (const answers of this.#answers.values()) announceClose([...answers].at(-1));
    const limit = setTimeout(() => {
      for (const socket of this.#answers.keys()) socket.destroy();
    }, this.#limits.closeMs);
    limit.unref();
  }

  #open(socket: Socket): void {
    if (this.#isStopping) return void socket.destroy();
    if (this.#answers.size >= this.#limits.most) this.#makeRoom();
    if (this.#answers.size >= this.#limits.most) return void socket.destroy();
    this.#answers.set(socket, new Set());
    this.#idle.add(socket);
    socket.once("close", () => this.#forget(socket));
  }

  #makeRoom(): void {
    const [longestIdle] = this.#idle;
    if (longestIdle === undefined) return;
    longestIdle.destroy();
    this.#forget(longestIdle);
  }

  #forget(socket: Socket): void {
    this.#answers.delete(socket);
    this.#idle.delete(socket);
  }

  #begin(socket: Socket, response: ServerResponse): void {
    this.#idle.delete(socket);
    const answers = this.#answers.get(socket);
    if (this.#isStopping) {
      // Node sends nothing after an answer with `Connection: close`, but this request still needs its refusal.
      const before = [...(answers ?? [])].at(-1);
      if (before !== undefined && !before.headersSent) before.removeHeader("connection");
      announceClose(response);
    }
    answers?.add(response);
    response.once("close", () => this.#end(socket, response));
  }

  #end(socket: Socket, response: ServerResponse): void {
    const answers = this.#answers.get(socket);
    answers?.delete(response);
    if (answers?.size !== 0) return;
    // Sends what was written, without waiting for a slow body behind an early answer.
    if (this.#isStopping) socket.destroySoon();
    else this.#idle.add(socket);
  }
}

/**
 * Node closes the connection after this answer. An answer that has begun cannot announce it, but the connection is
 * closed all the same.
 */
function announceClose(response: ServerResponse | undefined): void {
  if (response !== undefined && !response.headersSent) response.setHeader("connection", "close");
}
