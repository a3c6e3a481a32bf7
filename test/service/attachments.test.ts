import { execFile, spawnSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { promisify } from "node:util";

import { CreateBucketCommand, S3Client } from "@aws-sdk/client-s3";
import { afterAll, beforeAll, expect, test } from "vitest";

import { FileStore } from "../../app/files/file-store.ts";
import { type SeaweedStore, startSeaweedStore } from "../../scripts/local/seaweed-store.ts";
import { type TestServer, token } from "../http/test-server.ts";
import { startProductServer } from "../product/product-server.ts";
import { createInvoice } from "./example-invoice.ts";

const bucket = "boats";
const headers = { authorization: `Bearer ${token}`, "content-type": "image/png" };
const guide = readFileSync(join(import.meta.dirname, "../../docs/guide/events-and-files.md"), "utf8");
const folder = mkdtempSync(join(tmpdir(), "lifeboat-attachments-"));
let store: SeaweedStore;
let server: TestServer;
let files: FileStore;
let id: string;
let url: string;

beforeAll(async () => {
  store = await startSeaweedStore();
  const { endpoint, region, accessKeyId, secretAccessKey } = store.access;
  const client = new S3Client({
    endpoint,
    region,
    forcePathStyle: true,
    credentials: { accessKeyId, secretAccessKey },
  });
  await client.send(new CreateBucketCommand({ Bucket: bucket }));
  client.destroy();
  files = new FileStore({ ...store.access, bucket });
  server = await startProductServer({ files });
  id = await createInvoice(server);
  url = `/invoices/${id}/attachments`;
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await store[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

test("an invoice has the files that were attached to it, and no other", async () => {
  const payload = randomBytes(50_000);
  const sent = await server.server.inject({ method: "POST", url, headers, payload });
  expect(sent.statusCode, sent.body).toBe(201);
  const sha256 = createHash("sha256").update(payload).digest("hex");
  expect(sent.json()).toMatchObject({ invoiceId: id, contentType: "image/png", bytes: 50_000, sha256 });
  expect(sent.body).not.toContain("files/");
  expect((await server.call("GET", url)).body).toEqual({ items: [sent.json()], nextCursor: null });
  const back = await server.server.inject({ url: `${url}/${String(sent.json().id)}`, headers });
  expect(back.headers["content-type"]).toBe("image/png");
  expect(back.rawPayload.equals(payload)).toBe(true);
  for (const wrong of ["/invoices/nobody/attachments", `${url}/nobody`])
    expect((await server.call("GET", wrong)).status, wrong).toBe(404);
  const nowhere = { method: "POST", url: "/invoices/nobody/attachments", headers, payload } as const;
  expect((await server.server.inject(nowhere)).statusCode).toBe(404);
});

test("the guide's commands attach a file, and find the one that no row names", async ({ skip }) => {
  const [upload = ""] = /^curl --data-binary .*$/m.exec(guide) ?? [];
  const [search = ""] = /^aws s3api .*\nsqlite3 .*\ncomm .*$/m.exec(guide) ?? [];
  const address = await server.server.listen({ port: 0, host: "127.0.0.1" });
  writeFileSync(join(folder, "scan.pdf"), "a scan");
  const typed = upload.replace("TOKEN", token).replace("URL", address).replace("ID", id);
  const sent = await promisify(execFile)("/bin/sh", ["-euc", `${typed} -sS`], { cwd: folder });
  expect(JSON.parse(sent.stdout)).toMatchObject({ invoiceId: id, contentType: "application/pdf", bytes: 6 });

  for (const program of ["aws", "sqlite3"])
    skip(spawnSync("which", [program]).status !== 0, `${program} is not installed`);
  const lost = await files.put(Readable.from([Buffer.from("lost")]), { bytes: 4, contentType: "text/plain" });
  for (const end of ["", "-wal"]) cpSync(`${server.database}${end}`, join(folder, `copy.db${end}`));
  const { endpoint, region, accessKeyId, secretAccessKey } = store.access;
  const keys = { AWS_DEFAULT_REGION: region, AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey };
  const atStore = search.replace("BUCKET", `${bucket} --endpoint-url ${endpoint}`);
  const options = { cwd: folder, env: { ...process.env, ...keys } };
  const { stdout } = await promisify(execFile)("/bin/sh", ["-euc", atStore], options);
  expect(stdout).toBe(`${lost.key}\n`);
});
