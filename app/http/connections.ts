import type { Server as HttpServer, ServerResponse } from "node:http";
import type { Socket } from "node:net";

/** How the server treats connections: how many, and how long a stop waits for answers. */
export type ConnectionLimits = { most: number; closeMs: number };

/**
 * Knows every connection and which answers it still waits for. Bounds their number by giving up the longest idle one,
 * and a stop by giving up, at once, all that ask for nothing, and after a limit the rest.
 */
export class Connections {
  readonly #limits: ConnectionLimits;
  /** Every open connection, with its answers under way in the order of their requests. */
  readonly #answers = new Map<Socket, Set<ServerResponse>>();
  /** Connections without a request that was read, the longest idle first: silent, half a header, or kept alive. */
  readonly #idle = new Set<Socket>();
  #isStopping = false;

  constructor(limits: ConnectionLimits) {
    this.#limits = limits;
  }

  /** Watches a server that does not listen yet. */
  follow(server: HttpServer): void {
    server.on("connection", (socket: Socket) => this.#open(socket));
    // Before Fastify's own listener, which may answer at once.
    server.prependListener("request", (request, response) => this.#begin(request.socket, response));
  }

  /** Says whether a request of this socket that has arrived completely still waits for its answer. */
  isAnswering(socket: Socket): boolean {
    return [...(this.#answers.get(socket) ?? [])].some(({ req }) => req.complete);
  }

  /** From now on a connection lives for its answers under way only, and none longer than the limit. */
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
      // Behind an answer that announces the end nothing is sent, and this request is to hear that it was refused.
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
    // What was written is still sent; a slow body behind an early answer is not waited for.
    if (this.#isStopping) socket.destroySoon();
    else this.#idle.add(socket);
  }
}

/** Node ends the connection behind this answer. One that has begun cannot say so any more; it ends all the same. */
function announceClose(response: ServerResponse | undefined): void {
  if (response !== undefined && !response.headersSent) response.setHeader("connection", "close");
}
