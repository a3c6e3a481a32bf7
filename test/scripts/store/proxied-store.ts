import { afterAll, beforeAll, beforeEach } from "vitest";

import { StoreProxy } from "../../replica/store-proxy.ts";
import { ScriptedStore } from "./scripted-store.ts";

/** A real store, and a network before it that does to requests what a test says. Each test begins with an empty bucket. */
export function useProxiedStore(): ProxiedStore {
  const proxied = new ProxiedStore();
  beforeAll(() => proxied.open());
  afterAll(() => proxied[Symbol.asyncDispose]());
  beforeEach(() => proxied.begin());
  return proxied;
}

class ProxiedStore implements AsyncDisposable {
  readonly #parts = new AsyncDisposableStack();
  #scripted: ScriptedStore | undefined;
  #proxy: StoreProxy | undefined;
  /** The bucket, as scripts are told of it. */
  place: Record<string, string> = {};

  async open(): Promise<void> {
    this.#scripted = this.#parts.use(await ScriptedStore.open());
    this.#proxy = this.#parts.use(await StoreProxy.start(this.#scripted.access.endpoint));
  }

  async begin(): Promise<() => void> {
    const { proxy, scripted } = this;
    this.place = { ...scripted.place(await scripted.newBucket()), LIFEBOAT_ENDPOINT: proxy.endpoint };
    return () => proxy.heal();
  }

  get scripted(): ScriptedStore {
    if (this.#scripted === undefined) throw new Error("the store has not started");
    return this.#scripted;
  }

  get proxy(): StoreProxy {
    if (this.#proxy === undefined) throw new Error("the store has not started");
    return this.#proxy;
  }

  readSecret = async () => this.scripted.access.secretAccessKey;

  [Symbol.asyncDispose](): Promise<void> {
    return this.#parts.disposeAsync();
  }
}
