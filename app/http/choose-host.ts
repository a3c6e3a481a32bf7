import { once } from "node:events";
import { createServer } from "node:net";

/** Chooses the address to listen on: `::`, which includes IPv4, becomes IPv4 only where the kernel has no IPv6. */
export async function chooseHost(host: string): Promise<string> {
  if (host !== "::") return host;
  const probe = createServer();
  try {
    probe.listen({ host, port: 0 });
    await once(probe, "listening");
    return host;
  } catch (error) {
    if (error instanceof Error && "code" in error && (error.code === "EAFNOSUPPORT" || error.code === "EADDRNOTAVAIL"))
      return "0.0.0.0";
    throw error;
  } finally {
    probe.close();
  }
}
