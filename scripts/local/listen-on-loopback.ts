import { once } from "node:events";
import type { Server } from "node:http";

export type Loopback = AsyncDisposable & { url: string; port: number };

/** Lets an HTTP server listen on a free port of 127.0.0.1. Disposing ends its connections too. */
export async function listenOnLoopback(server: Server): Promise<Loopback> {
  server.listen({ port: 0, host: "127.0.0.1" });
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the server listens on no port");
  const close = async () => {
    server.close();
    server.closeAllConnections();
  };
  const { port } = address;
  return { url: `http://127.0.0.1:${port}`, port, [Symbol.asyncDispose]: close };
}
