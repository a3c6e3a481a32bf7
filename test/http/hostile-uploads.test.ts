import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { connect } from "node:net";

import { expect, test } from "vitest";

import { waitFor } from "../../app/cli/wait-for.ts";
import { FileStore } from "../../app/files/file-store.ts";
import { listenOnLoopback } from "../../scripts/local/listen-on-loopback.ts";
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

test("a file that is gone from the bucket is not there, and no client is asked to try again", async () => {
  await using store = await openStore(answerWith(404, "NoSuchKey"));
  await using server = await startTestServer({}, { product: filesProduct, files: store.files });
  const { body } = await server.call("POST", "/pages", { body: { title: "files/gone", words: "text/html" } });
  const answer = await server.server.inject({ url: `${path}/${String(body["id"])}`, headers: { authorization } });
  expect([answer.statusCode, answer.json().type]).toEqual([404, "urn:lifeboat:problem:file-missing"]);
  expect(answer.headers["retry-after"]).toBeUndefined();
  expect(server.log.join("")).toContain("a file that a row names cannot be read");
});

test("a download whose bytes end early breaks off, and is no shorter file", async () => {
  await using store = await openStore((_request, response) => {
    response.writeHead(200, { "content-length": 1_000 });
    response.write(Buffer.alloc(100), () => response.destroy());
  });
  await using server = await startTestServer({}, { product: filesProduct, files: store.files });
  const { body } = await server.call("POST", "/pages", { body: { title: "files/torn", words: "text/html" } });
  const url = await server.server.listen({ host: "127.0.0.1", port: 0 });
  const answer = await fetch(`${url}${path}/${String(body["id"])}`, { headers: { authorization } });
  await expect(answer.arrayBuffer()).rejects.toThrow("terminated");
  await waitFor("no connection", async () => (store.sockets.size === 0 ? true : null), { timeoutMs: 2_000 });
});

test.each(["a silent store", "one that breaks off"])("%s keeps neither the file nor the connection", async (kind) => {
  const answer: Answer = (request) => void (kind === "a silent store" ? request.resume() : request.destroy());
  await using store = await openStore(answer, { putMs: 300 });
  await using server = await startTestServer({}, { product: filesProduct, files: store.files });
  const payload = Buffer.alloc(1_000_000);
  const refused = await server.server.inject({ method: "POST", url: path, headers: { authorization }, payload });
  expect([refused.statusCode, refused.json().type]).toEqual([503, "urn:lifeboat:problem:file-not-stored"]);
  await waitFor("no connection", async () => (store.sockets.size === 0 ? true : null), { timeoutMs: 2_000 });
  expect((await server.call("GET", "/pages")).body["items"]).toEqual([]);
});

test("who goes away in the middle of a download keeps no connection to the store open", async () => {
  await using store = await openStore((_request, response) => {
    response.writeHead(200, { "content-length": limitBytes });
    response.write(Buffer.alloc(limitBytes - 1));
  });
  await using server = await startTestServer({}, { product: filesProduct, files: store.files });
  const { body } = await server.call("POST", "/pages", { body: { title: "files/large", words: "text/html" } });
  const url = await server.server.listen({ host: "127.0.0.1", port: 0 });
  const leave = new AbortController();
  await fetch(`${url}${path}/${String(body["id"])}`, { headers: { authorization }, signal: leave.signal });
  expect(store.sockets.size).toBe(1);
  leave.abort();
  await waitFor("no connection", async () => (store.sockets.size === 0 ? true : null), { timeoutMs: 2_000 });
});
