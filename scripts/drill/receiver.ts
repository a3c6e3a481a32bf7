import { createServer } from "node:http";
import { text } from "node:stream/consumers";

import type { DrillDeliveries } from "../../app/drill-subject.ts";
import { listenOnLoopback } from "../local/listen-on-loopback.ts";
import { nameOf, toFact } from "./facts.ts";

/** The deliveries of one fact: under which ids, and how many. */
export type Told = { kind: string; key: string; sha256: string; ids: Set<string>; count: number };

/** Collects deliveries. It answers 503 to the first try of every tenth, so that it is repeated. */
export class Receiver implements AsyncDisposable {
  readonly told = new Map<string, Told>();
  /** Deliveries that could not be read, in words. */
  readonly faults: string[] = [];
  readonly #deliveries: DrillDeliveries;
  readonly #server = createServer((request, response) => {
    void text(request).then(
      (body) => response.writeHead(this.#take(request.headers, body)).end(),
      () => response.destroy(),
    );
  });

  constructor(deliveries: DrillDeliveries) {
    this.#deliveries = deliveries;
  }

  async listen(): Promise<string> {
    const { url } = await listenOnLoopback(this.#server);
    return `${url}/deliveries`;
  }

  /** All deliveries so far, the repeated ones too. */
  get count(): number {
    let count = 0;
    for (const told of this.told.values()) count += told.count;
    return count;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  /** Chooses the status of the answer. A 503 stands for a receiver whose answer was lost. */
  #take(headers: Parameters<DrillDeliveries["readDelivery"]>[0]["headers"], body: string): number {
    try {
      const { id, ...content } = this.#deliveries.readDelivery({ headers, body });
      const fact = toFact(content);
      const name = nameOf(fact);
      const told = this.told.get(name) ?? { ...fact, ids: new Set(), count: 0 };
      this.told.set(name, told);
      told.ids.add(id);
      told.count += 1;
      return told.count === 1 && this.told.size % refusedEvery === 0 ? 503 : 204;
    } catch (error) {
      this.faults.push(`a delivery cannot be read: ${error instanceof Error ? error.message : String(error)}`);
      return 400;
    }
  }
}

const refusedEvery = 10;
