import { createHash } from "node:crypto";
import { type IncomingMessage, type ServerResponse, createServer } from "node:http";
import { text } from "node:stream/consumers";

import { listenOnLoopback } from "../../scripts/local/listen-on-loopback.ts";

/** How a store that cannot swap takes a conditional PUT: as if no condition were there, or with 501. */
type Conditions = "ignored" | "not-implemented";

/**
 * An S3 server in memory that keeps whole objects and honours no condition, as some real stores do; it checks no
 * signature. Knows GET and PUT of an object, which is all that the probe asks for.
 */
export async function startUnconditionalStore(conditions: Conditions): Promise<AsyncDisposable & { endpoint: string }> {
  const objects = new Map<string, string>();
  const server = createServer((request, response) => void answer({ request, response, objects, conditions }));
  const { url, [Symbol.asyncDispose]: close } = await listenOnLoopback(server);
  return { endpoint: url, [Symbol.asyncDispose]: close };
}

type Exchange = {
  request: IncomingMessage;
  response: ServerResponse;
  objects: Map<string, string>;
  conditions: Conditions;
};

async function answer({ request, response, objects, conditions }: Exchange): Promise<void> {
  const { pathname: key } = new URL(request.url ?? "/", "http://store");
  const isConditional = request.headers["if-match"] !== undefined || request.headers["if-none-match"] !== undefined;
  if (request.method === "PUT") {
    const body = await text(request);
    if (isConditional && conditions === "not-implemented") return void response.writeHead(501).end(notImplemented);
    objects.set(key, body);
    return void response.writeHead(200, { etag: etagOf(body) }).end();
  }
  const body = objects.get(key);
  if (body === undefined) return void response.writeHead(404).end();
  response.writeHead(200, { etag: etagOf(body) }).end(body);
}

const notImplemented =
  "<Error><Code>NotImplemented</Code><Message>A header you provided is not known.</Message></Error>";

function etagOf(body: string): string {
  return `"${createHash("md5").update(body).digest("hex")}"`;
}
