import { randomUUID } from "node:crypto";
import { STATUS_CODES } from "node:http";
import type { Socket } from "node:net";

import type { Connections } from "./connections.ts";
import { Problem, problemMediaType, renderProblem } from "./problem.ts";

/** Answers what Node's HTTP parser could not read as a request: sends a problem and closes the connection. */
export function answerParserError(error: Error & { code?: string }, socket: Socket, connections: Connections): void {
  // While a pipelined request waits for its answer, the client would take ours for that one: "400" for a write that is
  // being committed. So send nothing and break the connection.
  if (error.code === "ECONNRESET" || !socket.writable || connections.isAnswering(socket)) socket.destroy();
  else {
    socket.end(renderRawAnswer(parserProblems[error.code ?? ""] ?? unreadable));
    // The parser is still at work: what comes now would be carried out, though its client was told that it would not.
    if (error.code === "ERR_HTTP_REQUEST_TIMEOUT") socket.destroySoon();
  }
}

const parserProblems: Record<string, Problem> = {
  HPE_HEADER_OVERFLOW: new Problem(431, "headers-too-large", "The headers are larger than this server accepts."),
  HPE_CHUNK_EXTENSIONS_OVERFLOW: new Problem(413, "body-too-large", "The chunk extensions are too large."),
  ERR_HTTP_REQUEST_TIMEOUT: new Problem(408, "request-timeout", "The request did not arrive in time."),
};
const unreadable = new Problem(400, "malformed-request", "This is not an HTTP request that can be read.");

function renderRawAnswer(problem: Problem): string {
  const requestId = randomUUID();
  const body = renderProblem(problem, requestId);
  const head = [
    `HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status] ?? ""}`,
    `Content-Type: ${problemMediaType}`,
    `Content-Length: ${Buffer.byteLength(body)}`,
    `Request-Id: ${requestId}`,
    "Connection: close",
  ];
  return `${head.join("\r\n")}\r\n\r\n${body}`;
}
