import { once } from "node:events";
import { type IncomingMessage, request } from "node:http";
import { text as readText } from "node:stream/consumers";

const loadLimitMs = 30_000;

/** Caddy refused a configuration, and goes on with the one before. */
export class CaddyfileRefused extends Error {
  override readonly name = "CaddyfileRefused";
}

/**
 * Gives a running Caddy another configuration through its admin socket. Caddy checks it and changes over without closing
 * a connection, or keeps what it has. Throws CaddyfileRefused, or the error of a socket at which nobody listens.
 */
export async function loadCaddyfile(adminSocket: string, caddyfile: string): Promise<void> {
  const sent = request({
    socketPath: adminSocket,
    method: "POST",
    path: "/load",
    headers: { host: "localhost", "content-type": "text/caddyfile", "content-length": Buffer.byteLength(caddyfile) },
    signal: AbortSignal.timeout(loadLimitMs),
  });
  const answered = once(sent, "response");
  sent.end(caddyfile);
  const [answer]: IncomingMessage[] = await answered;
  if (answer === undefined) throw new Error("Caddy has not answered");
  const said = await readText(answer);
  if (answer.statusCode !== 200) throw new CaddyfileRefused(said.trim().slice(0, 1_000));
}
