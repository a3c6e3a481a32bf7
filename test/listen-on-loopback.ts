import { once } from "node:events";
import type { Server } from "node:http";

/** Lets an HTTP server listen on a free port of 127.0.0.1. Disposing ends its connections too. */
export async function listenOnLoopback(server: Server): Promise<AsyncDisposable & { url: string }> {
  server.listen({ port: 0, host: "127.0.0.1" });
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the server listens on no port");
  const close = async () => {
    server.close();
    server.closeAllConnections();
  };
  return { url: `http://127.0.0.1:${address.port}`, [Symbol.asyncDispose]: close };
}
