import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { connect } from "node:net";

import { expect, test } from "vitest";

import { FileStore } from "../../app/files/file-store.ts";
import { waitFor } from "../../scripts/cli/wait-for.ts";
import { listenOnLoopback } from "../listen-on-loopback.ts";
import { filesPath as path, filesProduct, limitBytes } from "./files-product.ts";
import { startTestServer, token } from "./test-server.ts";

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

const authorization = `Bearer ${token}`;
const answerWith = (status: number, code: string): Answer => {
  return (request, response) => {
    request.resume();
    response.writeHead(status, { "content-type": "application/xml" }).end(`<Error><Code>${code}</Code></Error>`);
  };
};

/** A store that does what the test says, and counts its connections. */
async function openStore(answer: Answer, limits?: ConstructorParameters<typeof FileStore>[1]) {
  const server = createServer(answer);
  const sockets = new Set<unknown>();
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  const { url, ...listening } = await listenOnLoopback(server);
  const keys = { accessKeyId: "key", secretAccessKey: "secret" };
  const files = new FileStore({ endpoint: url, bucket: "boats", region: "test", pathStyle: true, ...keys }, limits);
  return { ...listening, files, sockets };
}

test("a download that fails keeps no connection to the store", async () => {
  await using store = await openStore(answerWith(404, "NoSuchKey"));
  for (let round = 0; round < 10; round++)
    await expect(store.files.open("files/gone")).rejects.toThrow("GET files/gone");
  await waitFor("no connection", async () => (store.sockets.size === 0 ? true : null), { timeoutMs: 2_000 });
});

test("a client that sends all before it reads hears that the store refused its file", async () => {
  await using store = await openStore(answerWith(507, "DiskFull"));
  await using server = await startTestServer({}, { product: filesProduct, files: store.files });
  const address = new URL(await server.server.listen({ host: "127.0.0.1", port: 0 }));
  const socket = connect(Number(address.port), address.hostname).on("error", () => undefined);
  await once(socket, "connect");
  const head = `Host: x\r\nAuthorization: ${authorization}\r\nContent-Length: ${limitBytes}`;
  socket.write(`POST ${path} HTTP/1.1\r\n${head}\r\n\r\n`);
  let isSent = false;
  socket.write(Buffer.alloc(limitBytes), () => (isSent = true));
  await waitFor("the file to be sent", async () => (isSent ? true : null), { timeoutMs: 5_000 });
  expect(String(await once(socket, "data"))).toContain("503 Service Unavailable");
  socket.destroy();
  expect((await server.call("GET", "/pages")).body["items"]).toEqual([]);
});
