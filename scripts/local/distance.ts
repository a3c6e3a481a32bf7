import { once } from "node:events";
import { createServer, connect, type Socket } from "node:net";

/** More than this much under way in one direction makes its sender wait: a line holds no more either. */
const mostUnderWayBytes = 16 * 1024 * 1024;

export type Distance = AsyncDisposable & Readonly<{ endpoint: string }>;

/**
 * Puts a server on loopback as far away as a round trip of `roundTripMs` says, which is what a ping would show: each
 * byte is under way for half of it, and a connection costs one round trip before the first byte leaves. Bytes pass as
 * they are, so signatures hold. It does not narrow the line, and adds no round trip for TLS. Disposing cuts all
 * connections. Throws when the endpoint is not plain HTTP.
 */
export async function openDistance(endpoint: string, roundTripMs: number): Promise<Distance> {
  const { protocol, hostname, port } = new URL(endpoint);
  if (protocol !== "http:") throw new Error(`${endpoint}: a distance can be put before plain HTTP only`);
  const sockets = new Set<Socket>();
  const keep = (socket: Socket) => {
    sockets.add(socket);
    socket.setNoDelay(true);
    socket.once("close", () => sockets.delete(socket));
  };
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (near) => {
    const far = connect({ host: hostname, port: Number(port), allowHalfOpen: true });
    for (const socket of [near, far]) keep(socket);
    delay(near, far, roundTripMs / 2);
    delay(far, near, roundTripMs / 2);
    setTimeout(() => near.resume(), roundTripMs);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the distance does not listen");
  return {
    endpoint: `http://127.0.0.1:${address.port}`,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}

/** Timers of one length fire in the order in which they were set, so the bytes stay in order. */
function delay(from: Socket, to: Socket, ms: number): void {
  let underWay = 0;
  from.on("data", (bytes: Buffer) => {
    underWay += bytes.length;
    if (underWay > mostUnderWayBytes) from.pause();
    setTimeout(() => {
      to.write(bytes, () => {
        underWay -= bytes.length;
        if (underWay <= mostUnderWayBytes) from.resume();
      });
    }, ms);
  });
  from.once("end", () => setTimeout(() => to.end(), ms));
  from.on("error", () => to.destroy());
}
