import { randomInt } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:net";

// Below the kernel's range for outgoing connections (32768 and up on Linux), so that none of those takes a port between
// our check and the server's start.
const leastPort = 15_000;
const mostPort = 32_000;
const attemptLimit = 1000;

/** Finds this many different loopback ports on which nobody listens. */
export async function findFreePorts(count: number): Promise<number[]> {
  const ports = new Set<number>();
  for (let attempt = 0; ports.size < count; attempt += 1) {
    if (attempt === attemptLimit)
      throw new Error(`no ${count} free ports from ${leastPort} to ${mostPort} on 127.0.0.1`);
    const port = randomInt(leastPort, mostPort + 1);
    // One after the other: the check itself occupies a port until it is over.
    if (await isFree(port)) ports.add(port);
  }
  return [...ports];
}

/** Whether nobody listens on this port of loopback. */
export async function isFree(port: number, host = "127.0.0.1"): Promise<boolean> {
  const server = createServer();
  try {
    server.listen({ port, host, exclusive: true });
    await once(server, "listening");
    server.close();
    await once(server, "close");
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EADDRINUSE") return false;
    throw error;
  }
}
