import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { connect } from "node:net";

import { sealData } from "iron-session";
import { afterAll, beforeAll, expect, test } from "vitest";

import { pagesProduct } from "../product/pages.ts";
import { startTestServer, type TestServer, token, tokenDigest } from "./test-server.ts";

const sessionSecret = "a-secret-of-at-least-32-characters";
const untilMs = Date.now() + 3_600_000;
let server: TestServer;
let address: URL;

beforeAll(async () => {
  server = await startTestServer({ sessionSecret }, { product: { ...pagesProduct, sessions: true } });
  address = new URL(await server.server.listen({ host: "127.0.0.1", port: 0 }));
});
afterAll(() => server[Symbol.asyncDispose]());

const seal = (content: unknown, password = sessionSecret, ttl = 3_600) => sealData(content, { password, ttl });
const read = (cookie: string, headers: Record<string, string> = {}) =>
  server.server.inject({ url: "/pages", headers: { cookie, ...headers } });

test("a cookie that was not sealed here for one of the tokens lets nobody in, and breaks nothing", async () => {
  const good = await seal({ digest: tokenDigest, untilMs });
  expect((await read(`lifeboat-session=${good}`)).statusCode).toBe(200);
  const hostile = [
    await seal({ digest: tokenDigest, untilMs }, "another-secret-of-at-least-32-chars"),
    await seal({ digest: "0".repeat(64), untilMs }),
    await seal({ digest: tokenDigest, untilMs: Date.now() - 1 }),
    await seal({ digest: tokenDigest }),
    await seal("text"),
    await seal(null),
    good.slice(0, -3),
    good.replace("Fe26.2", "Fe26.1"),
    "*".repeat(7),
    "Fe26.2*__proto__*a*b*c**d*e~2",
    "Fe26.2*1*a*b*c*NaN*d*e~2",
    "%E0%A4%A",
    "x".repeat(12_000),
    "",
  ];
  for (const value of hostile)
    expect((await read(`lifeboat-session=${value}`)).statusCode, value.slice(0, 80)).toBe(401);
});

test("over HTTPS only the cookie counts that no sister domain can set", async () => {
  const plain = `lifeboat-session=${await seal({ digest: tokenDigest, untilMs })}`;
  const https = { "x-forwarded-proto": "https" };
  expect((await read(plain, https)).statusCode).toBe(401);
  expect((await read(`__Host-${plain}`, https)).statusCode).toBe(200);
  expect((await read(plain)).statusCode).toBe(200);
});

test("a cookie that is larger than the headers may be is refused before anything reads it", async () => {
  const socket = connect(Number(address.port), address.hostname).on("error", () => undefined);
  await once(socket, "connect");
  const cookie = `lifeboat-session=${randomBytes(20_000).toString("hex")}`;
  socket.write(`GET /pages HTTP/1.1\r\nHost: x\r\nCookie: ${cookie}\r\n\r\n`);
  expect(String(await once(socket, "data"))).toContain("431 Request Header Fields Too Large");
  socket.destroy();
});

test.each<[string, Record<string, string>]>([
  ["an origin that is none", { origin: "https://" }],
  ["a sister domain", { "sec-fetch-site": "same-site", origin: "http://boat.example" }],
  ["a header sent twice", { "sec-fetch-site": "same-origin, cross-site" }],
])("a write with a cookie from %s is refused", async (_, from) => {
  const cookie = `lifeboat-session=${await seal({ digest: tokenDigest, untilMs })}`;
  const headers = { host: "boat.example", cookie, ...from };
  const answer = await server.server.inject({ method: "POST", url: "/pages", headers, payload: { title: "x" } });
  expect([answer.statusCode, answer.json().type]).toEqual([403, "urn:lifeboat:problem:cross-site"]);
});

test("a request of HTTP/1.0 without a host is of no origin", async () => {
  const socket = connect(Number(address.port), address.hostname).on("error", () => undefined);
  await once(socket, "connect");
  const cookie = `lifeboat-session=${await seal({ digest: tokenDigest, untilMs })}`;
  const body = '{"title":"x"}';
  const type = `Content-Type: application/json\r\nContent-Length: ${body.length}`;
  socket.write(`POST /pages HTTP/1.0\r\nOrigin: null\r\nCookie: ${cookie}\r\n${type}\r\n\r\n${body}`);
  expect(String(await once(socket, "data"))).toContain("403 Forbidden");
  socket.destroy();
  expect((await server.call("GET", "/pages", { headers: { authorization: `Bearer ${token}` } })).text).not.toContain(
    '"x"',
  );
});
