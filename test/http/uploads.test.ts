import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { connect, type AddressInfo } from "node:net";

import { CreateBucketCommand, ListObjectsV2Command, S3Client } from "@aws-sdk/client-s3";
import { afterAll, beforeAll, expect, test } from "vitest";

import { waitFor } from "../../app/cli/wait-for.ts";
import { FileStore } from "../../app/files/file-store.ts";
import { type SeaweedStore, startSeaweedStore } from "../../scripts/local/seaweed-store.ts";
import { filesPath as path, filesProduct, limitBytes } from "./files-product.ts";
import { startTestServer, type TestServer, token } from "./test-server.ts";

const Bucket = "boats";
const start = (files: FileStore) => startTestServer({}, { product: filesProduct, files });
let store: SeaweedStore;
let client: S3Client;
let server: TestServer;

beforeAll(async () => {
  store = await startSeaweedStore();
  const { endpoint, region, accessKeyId, secretAccessKey } = store.access;
  client = new S3Client({ endpoint, region, forcePathStyle: true, credentials: { accessKeyId, secretAccessKey } });
  await client.send(new CreateBucketCommand({ Bucket }));
  server = await start(new FileStore({ ...store.access, bucket: Bucket }));
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  client.destroy();
  await store[Symbol.asyncDispose]();
});

const authorization = `Bearer ${token}`;

function upload(payload: Buffer, headers: Record<string, string> = {}, url = path) {
  return server.server.inject({ method: "POST", url, headers: { authorization, ...headers }, payload });
}

const download = (id: unknown) => server.server.inject({ url: `${path}/${String(id)}`, headers: { authorization } });

async function listKeys(): Promise<string[]> {
  const { Contents = [] } = await client.send(new ListObjectsV2Command({ Bucket }));
  return Contents.flatMap(({ Key }) => Key ?? []);
}

const listRows = async (of = server) => (await of.call("GET", "/pages?limit=1000")).body["items"];

test.each([
  ["image/png", randomBytes(200_000)],
  ["application/json", Buffer.from('{"not": "parsed" ')],
  ["text/plain; charset=utf-8", Buffer.from("Zoë")],
  ["application/octet-stream", Buffer.alloc(0)],
])("a file of type %s comes back as it was sent, from the bucket, and not from the database", async (type, content) => {
  const before = new Set(await listKeys());
  const { statusCode, headers, body } = await upload(content, { "content-type": type });
  const sent = JSON.parse(body);
  expect([statusCode, headers["durability"]], body).toEqual([201, "disk"]);
  expect(sent).toMatchObject({ title: expect.stringMatching(/^files\/[0-9a-f-]{36}$/), words: type });
  expect((await listKeys()).filter((key) => !before.has(key))).toEqual([sent.title]);
  const back = await download(sent.id);
  expect(back.statusCode).toBe(200);
  expect(back.rawPayload.equals(content)).toBe(true);
  // Nobody's file may run as a page of this server.
  expect(back.headers).toMatchObject({
    "content-type": type,
    "content-length": String(content.length),
    "content-disposition": "attachment",
    "x-content-type-options": "nosniff",
    "content-security-policy": "sandbox",
    "cache-control": "no-store",
  });
  expect(await listRows()).toContainEqual(sent);
});

test("a file without a type has the general one, and 16 MB are not too many", async () => {
  const content = randomBytes(limitBytes);
  const { statusCode, body } = await upload(content);
  expect(statusCode, body).toBe(201);
  expect(JSON.parse(body).words).toBe("application/octet-stream");
  expect((await download(JSON.parse(body).id)).rawPayload.equals(content)).toBe(true);
  expect(server.writer.walBytes).toBeLessThan(limitBytes / 4);
});

test("the same upload with the same Idempotency-Key is one row; another file with that key is a conflict", async () => {
  const key = { "idempotency-key": "one-upload", "content-type": "text/plain" };
  const [first, again, other] = [
    await upload(Buffer.from("a"), key),
    await upload(Buffer.from("a"), key),
    await upload(Buffer.from("b"), key),
  ];
  expect([first.statusCode, again.statusCode]).toEqual([201, 201]);
  expect(again.json()).toEqual(first.json());
  expect(again.headers["idempotency-replayed"]).toBe("true");
  expect(other.statusCode).toBe(422);
});

test("what is refused leaves neither row nor file", async () => {
  const [keys, rows] = [await listKeys(), await listRows()];
  const small = Buffer.from("x");
  const answers: [number, Awaited<ReturnType<typeof upload>>][] = [
    [413, await upload(Buffer.alloc(limitBytes + 1))],
    [415, await upload(small, { "content-type": "no type" })],
    [415, await upload(small, { "content-type": "application/vnd.lifeboat.upload" }, "/pages")],
    [401, await upload(small, { authorization: "Bearer wrong" })],
    [400, await upload(small, { durability: "for ever" })],
    [400, await upload(small, { "idempotency-key": "short" })],
  ];
  for (const [status, answer] of answers) expect(answer.statusCode, answer.body).toBe(status);
  expect((await download("nobody")).statusCode).toBe(404);
  expect(await listRows()).toEqual(rows);
  expect(await listKeys()).toEqual(keys);
});

test("a chunked upload does not say how long it is, and is refused; one that breaks off leaves nothing", async () => {
  await using real = await start(new FileStore({ ...store.access, bucket: Bucket }));
  await real.server.listen({ host: "127.0.0.1", port: 0 });
  const address: AddressInfo | string | null = real.server.server.address();
  if (address === null || typeof address === "string") throw new Error("the server has no port");
  const keys = await listKeys();
  const send = async (headers: string) => {
    const socket = connect(address.port, "127.0.0.1").on("error", () => undefined);
    await once(socket, "connect");
    socket.write(`POST ${path} HTTP/1.1\r\nHost: x\r\nAuthorization: ${authorization}\r\n${headers}\r\n\r\n`);
    return socket;
  };
  const chunked = await send("Transfer-Encoding: chunked");
  expect(String(await once(chunked, "data"))).toContain("411 Length Required");
  chunked.destroy();
  const torn = await send("Content-Length: 1000000");
  torn.write(Buffer.alloc(300_000));
  await waitFor("the upload to be on its way", async () => (torn.writableLength === 0 ? true : null), {
    timeoutMs: 5_000,
  });
  torn.destroy();
  const told = async () => (real.log.some((line) => line.includes("did not get into the bucket")) ? true : null);
  expect(await waitFor("the server to notice", told, { timeoutMs: 10_000 })).toBe(true);
  expect(await listKeys()).toEqual(keys);
  expect(await listRows(real)).toEqual([]);
});

test("while the store does not answer, an upload is refused and a download too; other requests go on", async () => {
  await using other = await start(new FileStore({ ...store.access, bucket: Bucket, endpoint: "http://127.0.0.1:9" }));
  const headers = { authorization };
  const payload = randomBytes(100_000);
  const refused = await other.server.inject({ method: "POST", url: path, headers, payload });
  expect([refused.statusCode, refused.json().type]).toEqual([503, "urn:lifeboat:problem:file-not-stored"]);
  expect(refused.headers["retry-after"]).toBe("5");
  expect(await listRows(other)).toEqual([]);
  const { body: page } = await other.call("POST", "/pages", { body: { title: "files/one", words: "text/plain" } });
  const unread = await other.server.inject({ url: `${path}/${String(page["id"])}`, headers });
  expect([unread.statusCode, unread.json().type]).toEqual([503, "urn:lifeboat:problem:file-not-readable"]);
});

test("only what is a file of the bucket is given out", async () => {
  const files = new FileStore({ ...store.access, bucket: Bucket });
  await expect(files.open("head.json")).rejects.toThrow("no key of a file");
  await expect(files.open("files/missing")).rejects.toMatchObject({ name: "FileFault", cause: { kind: "missing" } });
});
