import { createHash } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";

import { findProductFault } from "../../app/product.ts";
import { pagesProduct } from "../product/pages.ts";
import { startTestServer, type TestServer, token, tokenDigest } from "./test-server.ts";

const product = { ...pagesProduct, sessions: true };
const digest = (text: string) => createHash("sha256").update(text).digest("hex");
const addSession: typeof product.addRoutes = (target) => void target.get("/session", async () => ({}));
const sameOrigin = { "sec-fetch-site": "same-origin" };
let server: TestServer;
let titles = 0;

beforeAll(async () => {
  server = await start();
});
afterEach(() => {
  vi.useRealTimers();
});
afterAll(() => server[Symbol.asyncDispose]());

type Headers = Record<string, string>;

function start(config: Parameters<typeof startTestServer>[0] = {}) {
  return startTestServer(config, { product });
}

async function signIn(headers: Headers = {}, secret = token, { server: at } = server) {
  const answer = await at.inject({ method: "POST", url: "/session", headers, payload: { token: secret } });
  const [cookie] = answer.cookies;
  return { answer, cookie, header: cookie === undefined ? "" : `${cookie.name}=${cookie.value}` };
}

const read = (headers: Headers, { server: at } = server) => at.inject({ url: "/pages", headers });
const write = (headers: Headers, title = `Page ${++titles}`) =>
  server.server.inject({ method: "POST", url: "/pages", headers, payload: { title } });

test("who signs in with a token gets a cookie that reads and, from a page of this server, writes", async () => {
  const { answer, cookie, header } = await signIn(sameOrigin);
  expect(answer.statusCode).toBe(200);
  expect(answer.json()).toEqual({
    principal: `token-${tokenDigest.slice(0, 12)}`,
    expiresAt: expect.stringMatching(/^\d{4}-.*Z$/),
  });
  expect(cookie).toMatchObject({
    name: "lifeboat-session",
    path: "/",
    httpOnly: true,
    sameSite: "Strict",
    maxAge: 43_200,
  });
  expect(cookie?.secure).toBeUndefined();
  expect(answer.body + JSON.stringify(answer.headers)).not.toContain(token);
  const list = await read({ cookie: header });
  expect(list.statusCode).toBe(200);
  expect(list.headers).toMatchObject({ "cache-control": "no-store", vary: "cookie" });
  expect((await write({ cookie: header, ...sameOrigin })).statusCode).toBe(201);
  const who = await server.server.inject({ url: "/session", headers: { cookie: header } });
  expect(who.json()).toEqual(answer.json());
  expect(server.log.join("")).toContain(`"principal":"token-${tokenDigest.slice(0, 12)}"`);
  expect(server.log.join("")).not.toContain(cookie?.value);
});

test.each([
  ["the proxy says so", { "x-forwarded-proto": "https" }],
  ["the page says so", { origin: "https://boat.example", host: "boat.example" }],
])("over HTTPS, when %s, the cookie goes nowhere else", async (_, headers) => {
  const { cookie, header } = await signIn(headers);
  expect(cookie).toMatchObject({ name: "__Host-lifeboat-session", secure: true, path: "/" });
  expect(cookie?.domain).toBeUndefined();
  expect((await read({ cookie: header })).statusCode).toBe(200);
});

test("without a session there is a 401: no cookie, a foreign one, a damaged one, one of another key, a wrong token", async () => {
  await using other = await start();
  const { header } = await signIn();
  const middle = header.length >> 1;
  const damaged = `${header.slice(0, middle)}${header[middle] === "A" ? "B" : "A"}${header.slice(middle + 1)}`;
  const wrong = ["", "a=b", "lifeboat-session=", "lifeboat-session=%00", header.slice(0, -10), damaged];
  for (const cookie of [...wrong, (await signIn({}, token, other)).header]) {
    const answer = await read(cookie === "" ? {} : { cookie });
    expect([answer.statusCode, answer.json().type], cookie).toEqual([401, "urn:lifeboat:problem:unauthorized"]);
  }
  const refused = await signIn({}, "another-token");
  expect([refused.answer.statusCode, refused.cookie]).toEqual([401, undefined]);
});

test.each<[string, Headers]>([
  ["another site", { "sec-fetch-site": "cross-site", origin: "https://evil.example" }],
  ["a sister domain", { "sec-fetch-site": "same-site", origin: "https://sister.boat.example" }],
  ["the address bar", { "sec-fetch-site": "none" }],
  ["another origin, over plain HTTP", { origin: "http://evil.example" }],
  ["another port of this host", { origin: "http://boat.example:8081" }],
  ["an origin that hides itself", { origin: "null" }],
  ["nobody says where", {}],
])("a write with a cookie from %s is refused, and nothing is written", async (_, from) => {
  const { header } = await signIn();
  const headers = { host: "boat.example", cookie: header, ...from };
  const title = `Refused ${++titles}`;
  const answer = await write(headers, title);
  expect([answer.statusCode, answer.json().type]).toEqual([403, "urn:lifeboat:problem:cross-site"]);
  expect(answer.headers["content-type"]).toContain("application/problem+json");
  expect(answer.json().detail).toContain("Authorization: Bearer");
  expect((await read({ cookie: header })).body).not.toContain(title);
  const out = await server.server.inject({ method: "DELETE", url: "/session", headers });
  expect([out.statusCode, out.cookies]).toEqual([403, []]);
  // Only programs send a token. A browser never adds one by itself.
  expect((await write({ ...from, authorization: `Bearer ${token}` })).statusCode).toBe(201);
});

test("a page of another site cannot sign anybody in", async () => {
  for (const from of [{ "sec-fetch-site": "cross-site" }, { origin: "http://evil.example" }]) {
    const { answer, cookie } = await signIn(from);
    expect([answer.statusCode, cookie]).toEqual([403, undefined]);
  }
});

test("over plain HTTP the origin of this host will do", async () => {
  const { header } = await signIn();
  const from = { host: "boat.example:8080", origin: "http://boat.example:8080" };
  expect((await write({ ...from, cookie: header })).statusCode).toBe(201);
});

test("a token that is sent is what counts, also beside a cookie", async () => {
  const { header } = await signIn();
  expect((await read({ cookie: header, authorization: "Bearer wrong" })).statusCode).toBe(401);
  expect((await read({ cookie: "lifeboat-session=x", authorization: `Bearer ${token}` })).statusCode).toBe(200);
});

test("a session ends after its time", async () => {
  const { header } = await signIn();
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 12 * 60 * 60 * 1000 - 1_000 });
  expect((await read({ cookie: header })).statusCode).toBe(200);
  vi.setSystemTime(Date.now() + 2_000);
  expect((await read({ cookie: header })).statusCode).toBe(401);
});

test("a session ends with its token, and outlives the process where its secret does", async () => {
  const directory = mkdtempSync(join(tmpdir(), "lifeboat-sessions-"));
  const tokensFile = join(directory, "tokens");
  writeFileSync(tokensFile, `shop:${digest("old")}\nshop:${digest("new")}\n`);
  const config = { tokenDigests: [], tokensFile, sessionSecret: "a-secret-of-at-least-32-characters" };
  let cookies: string[];
  {
    await using first = await start(config);
    cookies = [(await signIn({}, "old", first)).header, (await signIn({}, "new", first)).header];
  }
  await using next = await start(config);
  const answers = () => Promise.all(cookies.map(async (cookie) => (await read({ cookie }, next)).statusCode));
  expect(await answers()).toEqual([200, 200]);
  writeFileSync(tokensFile, `shop:${digest("new")}\n`);
  process.emit("SIGHUP");
  expect(await answers()).toEqual([401, 200]);
  rmSync(directory, { recursive: true });
});

test("signing out takes the cookie away, also one that counts no more", async () => {
  const { header } = await signIn();
  for (const cookie of [header, "lifeboat-session=over", ""]) {
    const headers = { ...sameOrigin, ...(cookie !== "" && { cookie }) };
    const out = await server.server.inject({ method: "DELETE", url: "/session", headers });
    expect(out.statusCode).toBe(204);
    expect(out.cookies.map(({ name, value, maxAge }) => [name, value, maxAge])).toEqual([
      ["__Host-lifeboat-session", "", 0],
      ["lifeboat-session", "", 0],
    ]);
  }
});

test("a product that does not ask for sessions has none, and may have the path for itself", async () => {
  await using other = await startTestServer();
  expect((await signIn({}, token, other)).answer.statusCode).toBe(401);
  expect(findProductFault({ ...product, addRoutes: addSession })).toContain("/session, which is the kit's own");
  expect(findProductFault({ ...product, addRoutes: addSession, sessions: false })).toBeNull();
});
