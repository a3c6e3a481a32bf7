import { customerBody, type Load } from "./load.ts";

/** The requests of a load, as bytes: each call gives the next one. */
export function makeRequests(load: Load): () => Buffer {
  const { reads, createEvery, createPath, mark } = load;
  const made = reads.map((path) => Buffer.from(renderRequest("GET", path, load.headers)));
  const createHeaders = { ...load.headers, "content-type": "application/json", ...load.createHeaders };
  let count = 0;
  return () => {
    count += 1;
    const read = made[count % made.length];
    if (read !== undefined && (createEvery === 0 || count % createEvery !== 0)) return read;
    return Buffer.from(renderRequest("POST", createPath, createHeaders, customerBody(mark, count)));
  };
}

function renderRequest(method: string, path: string, headers: Load["headers"], body?: string): string {
  const lines = Object.entries({
    host: "127.0.0.1",
    ...headers,
    ...(body !== undefined && { "content-length": String(Buffer.byteLength(body)) }),
  });
  const head = lines.map(([name, value]) => `${name}: ${value}\r\n`).join("");
  return `${method} ${path} HTTP/1.1\r\n${head}\r\n${body ?? ""}`;
}
