import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

import { afterAll, beforeAll, expect, test } from "vitest";

import { findProductFault } from "../../app/product.ts";
import { pagesProduct } from "../product/pages.ts";
import { startTestServer, type TestServer, token } from "./test-server.ts";

const directory = mkdtempSync(join(tmpdir(), "lifeboat-pages-"));
const folder = pathToFileURL(`${directory}/`);
const product = { ...pagesProduct, pages: { path: "/app/", folder } };
const hashed = ["app-3f9ac01b.js", "app.0a1b2c3d4e.css", "CHUNK-ABCD2345.js"];
const plain = ["app.js", "page-documents.js", "report-20260101.css", "page-deadbeef.js", "INVOICES-DOCUMENT.js"];
let server: TestServer;

beforeAll(async () => {
  mkdirSync(join(directory, "sub"));
  writeFileSync(join(directory, "index.html"), "<!doctype html><title>one</title>");
  writeFileSync(join(directory, "sub/index.html"), "<!doctype html><title>sub</title>");
  writeFileSync(join(directory, ".secret"), "not to be served");
  for (const name of [...hashed, ...plain]) writeFileSync(join(directory, name), `// ${name}`);
  server = await startTestServer({}, { product });
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true });
});

const get = (url: string, headers: Record<string, string> = {}) => server.server.inject({ url, headers });

test("a page answers without a token, is asked for again every time, and lets no stranger's code run", async () => {
  const page = await get("/app/");
  expect([page.statusCode, page.body]).toEqual([200, "<!doctype html><title>one</title>"]);
  expect(page.headers).toMatchObject({
    "content-type": "text/html; charset=utf-8",
    "cache-control": "no-cache",
    "x-content-type-options": "nosniff",
    "content-security-policy": expect.stringMatching(/^default-src 'self';.*frame-ancestors 'none'/),
    "request-id": expect.any(String),
  });
  expect(String(page.headers["content-security-policy"])).not.toContain("unsafe");
  expect((await get("/app")).headers.location).toBe("/app/");
  expect((await get("/app/sub/")).body).toContain("sub");
  expect((await server.server.inject({ method: "HEAD", url: "/app/" })).statusCode).toBe(200);
});

test("a page that has not changed is not sent again, whatever its time", async () => {
  const etag = String((await get("/app/")).headers.etag);
  for (const known of [etag, `W/${etag}`, `"other", ${etag}`, "*"]) {
    const again = await get("/app/", { "if-none-match": known });
    expect([again.statusCode, again.body, again.headers.etag]).toEqual([304, "", etag]);
    expect(again.headers["cache-control"]).toBe("no-cache");
  }
  expect((await get("/app/", { "if-none-match": '"other"' })).statusCode).toBe(200);
});

test("another page of the same size and time, as the next release has, has another tag", async () => {
  const next = mkdtempSync(join(tmpdir(), "lifeboat-pages-"));
  cpSync(directory, next, { recursive: true, preserveTimestamps: true });
  writeFileSync(join(next, "index.html"), "<!doctype html><title>two</title>");
  await using other = await startTestServer(
    {},
    { product: { ...product, pages: { path: "/app/", folder: pathToFileURL(`${next}/`) } } },
  );
  const headers = { "if-none-match": String((await get("/app/")).headers.etag) };
  const page = await other.server.inject({ url: "/app/", headers });
  expect([page.statusCode, page.body]).toEqual([200, "<!doctype html><title>two</title>"]);
  rmSync(next, { recursive: true });
});

const versioned = [...hashed, "app.js?v=1", "page-documents.js?v=20260101"];
const others = [...plain, "app.js?v=", "app.js?w=1", "index.html?v=1", "?v=1"];

test.each(versioned)("%s is kept for ever, since another content would have another URL", async (name) => {
  const { statusCode, headers } = await get(`/app/${name}`);
  expect([statusCode, headers["cache-control"]]).toEqual([200, "public, max-age=31536000, immutable"]);
});

test.each(others)("%s is asked for again, as it may be another one by then", async (name) => {
  const { statusCode, headers } = await get(`/app/${name}`);
  expect([statusCode, headers["cache-control"]]).toEqual([200, "no-cache"]);
});

test("what is no page is a problem, and nothing outside of the folder is one", async () => {
  const outside = [
    "/app/missing.js",
    "/app/.secret",
    "/app/../up.html",
    "/app/%2e%2e/%2e%2e/etc/passwd",
    "/app/sub/..%2f..%2fx",
  ];
  for (const path of outside) {
    const { statusCode, headers, body } = await get(path);
    expect(statusCode, path).toBeGreaterThanOrEqual(400);
    expect(statusCode, path).toBeLessThan(500);
    expect(headers["content-type"], path).toContain("application/problem+json");
    expect(headers["cache-control"], path).toBe("no-store");
    expect(body, path).not.toContain(directory);
  }
  expect((await server.server.inject({ method: "POST", url: "/app/", payload: {} })).statusCode).toBe(401);
  expect((await get("/application")).statusCode).toBe(401);
  expect((await get("/pages")).statusCode).toBe(401);
  expect((await get("/pages", { authorization: `Bearer ${token}` })).statusCode).toBe(200);
});

test.each([
  ["a path that is all of the server's", "/", folder, "one of its own"],
  ["a path without a slash at its end", "/app", folder, "one of its own"],
  ["a path with a parameter", "/:app/", folder, "one of its own"],
  ["a path of the kit's", "/up/", folder, "/up is the kit's own"],
  ["a folder that is not there", "/app/", new URL("missing/", folder), "missing/ is not there"],
  ["a file in the place of the folder", "/app/", new URL("app.js", folder), "app.js is not there"],
])("pages with %s are refused at start", (_, path, place, words) => {
  expect(findProductFault({ ...product, pages: { path, folder: place } })).toContain(words);
  expect(findProductFault(product)).toBeNull();
});
