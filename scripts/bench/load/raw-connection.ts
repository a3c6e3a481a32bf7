import { once } from "node:events";
import { connect, type Socket } from "node:net";

const headEnd = "\r\n\r\n";
const lastChunk = Buffer.from("0\r\n\r\n");
const longestHead = 16 * 1024;

type Waiting = { resolve(status: number): void; reject(error: Error): void };

/**
 * A connection that sends ready-made requests and reads only what an answer's length needs. Node's own client costs the
 * generator several times as much as the server spends, on the same cores.
 */
export class RawConnection {
  readonly #socket: Socket;
  readonly #waiting: Waiting[] = [];
  #rest: Buffer = Buffer.alloc(0);

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.on("data", (bytes: Buffer) => this.#read(bytes));
    socket.on("error", (error) => this.#fail(error));
    socket.on("close", () => this.#fail(new Error("the server closed the connection")));
  }

  static async open(port: number): Promise<RawConnection> {
    const socket = connect(port, "127.0.0.1");
    await once(socket, "connect");
    return new RawConnection(socket);
  }

  /** Sends a request behind those that wait. Resolves with the status of its answer when all of that is there. */
  ask(request: Buffer): Promise<number> {
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    this.#waiting.push({ resolve, reject });
    this.#socket.write(request);
    return promise;
  }

  end(): void {
    this.#socket.destroy();
  }

  #read(bytes: Buffer): void {
    this.#rest = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
    for (;;) {
      const answer = readAnswer(this.#rest);
      if (answer === null) return;
      this.#rest = this.#rest.subarray(answer.length);
      this.#waiting.shift()?.resolve(answer.status);
    }
  }

  #fail(error: Error): void {
    for (const waiting of this.#waiting.splice(0)) waiting.reject(error);
  }
}

/** The first whole answer in the bytes. Null when it is not all there yet. */
export function readAnswer(bytes: Buffer): { status: number; length: number } | null {
  const end = bytes.indexOf(headEnd);
  if (end === -1) {
    if (bytes.length > longestHead) throw new Error("an answer has a head of more than 16 KiB");
    return null;
  }
  const head = bytes.toString("latin1", 0, end).toLowerCase();
  const status = Number(head.slice(9, 12));
  const body = end + headEnd.length;
  const length = /\ncontent-length: *(\d+)/.exec(head)?.[1];
  if (length !== undefined) return whole(bytes, { status, length: body + Number(length) });
  if (!head.includes("\ntransfer-encoding: chunked")) return { status, length: body };
  // Exact as long as no chunk holds this text, which JSON cannot.
  const last = bytes.indexOf(lastChunk, body);
  return last === -1 ? null : { status, length: last + lastChunk.length };
}

function whole(bytes: Buffer, answer: { status: number; length: number }) {
  return bytes.length < answer.length ? null : answer;
}
