import { once } from "node:events";
import {
  createServer,
  request as forward,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type ServerResponse,
} from "node:http";
import type { AddressInfo } from "node:net";

/**
 * What becomes of one request: it passes; it passes but its answer is lost; it never arrives; nobody answers as long as
 * the fault lasts; or something else than a store answers.
 */
export type Fate =
  | "pass"
  | "lose-answer"
  | "drop"
  | "hang"
  | { status: number; body: string; headers?: Record<string, string> };
export type Decide = (request: { method: string; path: string; headers: IncomingHttpHeaders }) => Fate | Promise<Fate>;

/**
 * Stands between a machine and the store on loopback, and does to requests what networks do. The Host header passes, so
 * signatures hold.
 */
export class StoreProxy implements AsyncDisposable {
  /** Decides over each request; a test changes it at any time. */
  decide: Decide;
  readonly #hung = new Set<ServerResponse>();
  readonly #server;
  readonly #store: URL;

  private constructor(store: string, decide: Decide) {
    this.#store = new URL(store);
    this.decide = decide;
    this.#server = createServer((request, response) => void this.#handle(request, response));
  }

  static async start(store: string, decide: Decide = () => "pass"): Promise<StoreProxy> {
    const proxy = new StoreProxy(store, decide);
    proxy.#server.listen(0, "127.0.0.1");
    await once(proxy.#server, "listening");
    return proxy;
  }

  get endpoint(): string {
    const address = this.#server.address();
    if (!isAddressInfo(address)) throw new Error("the proxy does not listen");
    return `http://127.0.0.1:${address.port}`;
  }

  /** How many requests nobody has answered. */
  get hanging(): number {
    return this.#hung.size;
  }

  /** Ends the fault: everything passes, and requests that waited are cut off. */
  heal(): void {
    this.decide = () => "pass";
    for (const response of this.#hung) response.destroy();
    this.#hung.clear();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, "close");
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await readBody(request);
    const { method = "", url: path = "", headers } = request;
    const fate = await this.decide({ method, path, headers });
    if (fate === "drop") response.destroy();
    else if (fate === "hang") this.#hung.add(response);
    else if (typeof fate === "object")
      response.writeHead(fate.status, { "content-type": "text/html", ...fate.headers }).end(fate.body);
    else this.#forward(request, { body, response, loseAnswer: fate === "lose-answer" });
  }

  #forward(request: IncomingMessage, way: { body: Buffer; response: ServerResponse; loseAnswer: boolean }): void {
    const { method, url: path, headers } = request;
    const { body, response, loseAnswer } = way;
    const { hostname: host, port } = this.#store;
    const outgoing = forward({ host, port, method, path, headers }, (answer) => {
      if (loseAnswer) {
        answer.resume();
        answer.once("end", () => response.destroy());
        return;
      }
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    outgoing.on("error", () => response.destroy());
    outgoing.end(body);
  }
}

async function readBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) if (Buffer.isBuffer(chunk)) chunks.push(chunk);
  return Buffer.concat(chunks);
}

function isAddressInfo(address: unknown): address is AddressInfo {
  return typeof address === "object" && address !== null;
}
