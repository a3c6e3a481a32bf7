import { existsSync } from "node:fs";
import { createConnection } from "node:net";

import { CreateBucketCommand, ListBucketsCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { expect, test } from "vitest";

import { waitFor } from "../../app/cli/wait-for.ts";
import { type StoreAccess, startSeaweedStore } from "../../scripts/local/seaweed-store.ts";

function openClient(access: StoreAccess, secretAccessKey = access.secretAccessKey): S3Client {
  const { endpoint, region, accessKeyId } = access;
  const credentials = { accessKeyId, secretAccessKey };
  return new S3Client({ endpoint, region, forcePathStyle: true, credentials, maxAttempts: 1 });
}

async function connects(port: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = createConnection({ host: "127.0.0.1", port });
  socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
  const connected = await promise;
  socket.destroy();
  return connected;
}

test("the store refuses a wrong secret, an anonymous caller and a bucket that nobody made", async () => {
  await using store = await startSeaweedStore();
  const right = openClient(store.access);
  await right.send(new CreateBucketCommand({ Bucket: "made" }));
  await right.send(new PutObjectCommand({ Bucket: "made", Key: "k", Body: "v" }));
  const wrong = openClient(store.access, "wrong").send(new ListBucketsCommand());
  await expect(wrong).rejects.toMatchObject({ name: "SignatureDoesNotMatch" });
  expect((await fetch(`${store.access.endpoint}/made/k`)).status).toBe(403);
  const mistyped = right.send(new PutObjectCommand({ Bucket: "mistyped", Key: "k", Body: "v" }));
  await expect(mistyped).rejects.toMatchObject({ name: "NoSuchBucket" });
});

test("a disposed store leaves no listener, no directory and no socket", async () => {
  await using store = await startSeaweedStore();
  const port = Number(new URL(store.access.endpoint).port);
  expect(await connects(port)).toBe(true);
  const allThere = async () => (store.sockets.every((socket) => existsSync(socket)) ? true : null);
  await waitFor("its sockets", allThere, { timeoutMs: 20_000 });
  await store[Symbol.asyncDispose]();
  expect(await connects(port)).toBe(false);
  expect(existsSync(store.directory)).toBe(false);
  expect(store.sockets.filter((socket) => existsSync(socket))).toEqual([]);
});

test("two stores run side by side", async () => {
  await using one = await startSeaweedStore();
  await using other = await startSeaweedStore();
  expect(one.access.endpoint).not.toBe(other.access.endpoint);
  const stranger = openClient({ ...one.access, endpoint: other.access.endpoint }).send(new ListBucketsCommand());
  await expect(stranger).rejects.toMatchObject({ name: "InvalidAccessKeyId" });
});
