import { Agent, type IncomingHttpHeaders, request } from "node:http";
import { Agent as TlsAgent, request as requestTls } from "node:https";

export type Answer = Readonly<{ status: number; headers: IncomingHttpHeaders; text: string }>;

export type Question = Readonly<{
  method: "GET" | "POST";
  path: string;
  headers?: Readonly<Record<string, string>>;
  body?: unknown;
}>;

/** Where to send writes. */
export type Target = Readonly<{
  name: string;
  port: number;
  token: string;
  /** Default: 127.0.0.1. */
  host?: string;
  /** Speak TLS, and trust who is vouched for by these. */
  ca?: string;
  /** Longer than it may stay frozen. */
  answerLimitMs?: number;
}>;

/** No answer came. `sent` is false when no connection was made, so nothing can have been written. */
export class CutOff extends Error {
  readonly sent: boolean;

  constructor(cause: Error) {
    super("the connection was cut off", { cause });
    this.sent = !("code" in cause && cause.code === "ECONNREFUSED");
  }
}

// Longer than a frozen machine stays frozen in the drill: its answers must be seen when it wakes up.
const answerLimitMs = 120_000;

type ClientOptions = Omit<Target, "name"> &
  Readonly<{
    /** How many at once, one by default. */
    connections?: number;
  }>;

/** A client of the machine's HTTP server whose connections are kept alive; each asks one question at a time. */
export class HttpClient implements Disposable {
  readonly #agent: Agent;
  readonly #options: ClientOptions;

  constructor(options: ClientOptions) {
    const { connections = 1, ca } = options;
    const kept = { keepAlive: true, maxSockets: connections };
    this.#agent = ca === undefined ? new Agent(kept) : new TlsAgent({ ...kept, ca });
    this.#options = options;
  }

  /** Rejects with CutOff when no whole answer comes. */
  ask(question: Question, limitMs = this.#options.answerLimitMs ?? answerLimitMs): Promise<Answer> {
    const { host = "127.0.0.1", port, token, ca } = this.#options;
    const body = question.body === undefined ? null : Buffer.from(JSON.stringify(question.body));
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    const cutOff = (error: Error) => reject(new CutOff(error));
    const send = ca === undefined ? request : requestTls;
    const sending = send({
      host,
      port,
      agent: this.#agent,
      method: question.method,
      path: question.path,
      headers: {
        ...question.headers,
        ...(body && { "content-type": "application/json", "content-length": body.length }),
        authorization: `Bearer ${token}`,
      },
      timeout: limitMs,
    });
    sending.once("timeout", () => sending.destroy(new Error(`no answer within ${limitMs} ms`)));
    sending.once("error", cutOff);
    sending.once("response", (response) => {
      const parts: Buffer[] = [];
      response.on("data", (part: Buffer) => parts.push(part));
      response.once("error", cutOff);
      response.once("end", () => {
        const text = Buffer.concat(parts).toString("utf8");
        resolve({ status: response.statusCode ?? 0, headers: response.headers, text });
      });
    });
    sending.end(body);
    return promise;
  }

  [Symbol.dispose](): void {
    this.#agent.destroy();
  }
}
