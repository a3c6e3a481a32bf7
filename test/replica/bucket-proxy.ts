import { once } from "node:events";
import { Agent, type IncomingMessage, type ServerResponse, createServer, request } from "node:http";
import type { AddressInfo } from "node:net";
import { pipeline } from "node:stream";

export type Seen = Readonly<{ method: string; path: string }>;

/**
 * What the proxy answers instead of the store. `never`: it takes the request and keeps silent. `half`: it stops in the
 * middle of the body.
 */
export type Answer = Readonly<{ status: number; headers?: Record<string, string>; body?: string }> | "never" | "half";

type Judge = (seen: Seen) => Answer | null;

/**
 * Stands on loopback between a client and the store, counts the requests, and plays the store's bad days. Signatures
 * hold, since every header is passed on as it came. Without a store behind it, every request must be answered here.
 */
export class StoreProxy implements AsyncDisposable {
  readonly seen: Seen[] = [];
  readonly #server = createServer((incoming, outgoing) => this.#answer(incoming, outgoing));
  readonly #agent = new Agent({ keepAlive: false });
  readonly #store: URL | null;
  #judge: Judge = () => null;
  #port = 0;

  private constructor(store: string | null) {
    this.#store = store === null ? null : new URL(store);
  }

  static async start(store: string | null, judge?: Judge): Promise<StoreProxy> {
    const proxy = new StoreProxy(store);
    if (judge !== undefined) proxy.answerWith(judge);
    await proxy.comeBack();
    return proxy;
  }

  get endpoint(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** From now on requests are judged; what is answered null goes to the store. */
  answerWith(judge: Judge): void {
    this.#judge = judge;
  }

  /** From now on everything goes to the store again; what still hangs is cut off. */
  pass(): void {
    this.#judge = () => null;
    this.#server.closeAllConnections();
  }

  count(method: string, pathEnd: string): number {
    return this.seen.filter((seen) => seen.method === method && seen.path.endsWith(pathEnd)).length;
  }

  /** Connections are refused from now on, and those that stand are cut. */
  async goDown(): Promise<void> {
    const closed = once(this.#server, "close");
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }

  /** Listens again, on the port that it had. */
  async comeBack(): Promise<void> {
    this.#server.listen(this.#port, "127.0.0.1");
    await once(this.#server, "listening");
    this.#port = readPort(this.#server.address());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#server.listening) await this.goDown();
    this.#agent.destroy();
  }

  #answer(incoming: IncomingMessage, outgoing: ServerResponse): void {
    const { pathname } = new URL(incoming.url ?? "/", this.endpoint);
    const seen = { method: incoming.method ?? "", path: decodeURIComponent(pathname) };
    this.seen.push(seen);
    const answer = this.#judge(seen);
    if (answer === null) return this.#forward(incoming, outgoing);
    incoming.resume();
    if (answer === "never") return;
    if (answer === "half") {
      outgoing.writeHead(200, { etag: '"half"', "content-length": "1000" }).write("{");
      return;
    }
    outgoing.writeHead(answer.status, answer.headers).end(answer.body);
  }

  #forward(incoming: IncomingMessage, outgoing: ServerResponse): void {
    if (this.#store === null) throw new Error(`nobody answers ${incoming.method} ${incoming.url}: no store is behind`);
    const { hostname: host, port } = this.#store;
    const { method, url: path } = incoming;
    const passed = request({ host, port, method, path, headers: incoming.rawHeaders, agent: this.#agent }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.rawHeaders);
      pipeline(answer, outgoing, () => null);
    });
    passed.once("error", () => outgoing.destroy());
    outgoing.once("close", () => passed.destroy());
    incoming.pipe(passed);
  }
}

function readPort(address: AddressInfo | string | null): number {
  if (address === null || typeof address === "string") throw new Error("the proxy listens on no port");
  return address.port;
}
