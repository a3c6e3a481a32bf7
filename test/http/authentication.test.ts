import crypto from "node:crypto";
import { syncBuiltinESMExports } from "node:module";

import { expect, test, vi } from "vitest";

import { authenticateWith, parseTokens } from "../../app/http/tokens.ts";
import { startTestServer, token, tokenDigest } from "./test-server.ts";

const digestOf = (text: string): string => crypto.createHash("sha256").update(text).digest("hex");

test("everything but /up and /ready asks for the token", async () => {
  await using server = await startTestServer();
  const headers = { authorization: "" };
  for (const path of ["/pages", "/pages/1", "/nothing"]) {
    const answer = await server.call("GET", path, { headers });
    expect(answer.status, path).toBe(401);
    expect(answer.headers["www-authenticate"]).toMatch(/^Bearer/);
    expect(answer.body["type"]).toBe("urn:lifeboat:problem:unauthorized");
  }
  for (const path of ["/pages", "/pages/1/publication"]) {
    expect((await server.call("POST", path, { headers, body: "{" })).status, path).toBe(401);
  }
  for (const path of ["/up", "/ready"]) expect((await server.call("GET", path, { headers })).status).toBe(200);
});

test("wrong tokens are refused, whatever their length and shape", async () => {
  await using server = await startTestServer();
  const wrong = ["", "x", token.slice(0, -1), `${token}x`, token.toUpperCase(), tokenDigest, `${token} ${token}`];
  for (const candidate of wrong) {
    const answer = await server.call("GET", "/pages", { headers: { authorization: `Bearer ${candidate}` } });
    expect(answer.status, candidate).toBe(401);
  }
  for (const authorization of [token, `Basic ${token}`, `Bearer${token}`]) {
    expect((await server.call("GET", "/pages", { headers: { authorization } })).status).toBe(401);
  }
  const anyCase = await server.call("GET", "/pages", { headers: { authorization: `bearer ${token}` } });
  expect(anyCase.status).toBe(200);
});

test("every digest is compared in constant time, also after one has matched", () => {
  const compare = vi.spyOn(crypto, "timingSafeEqual");
  syncBuiltinESMExports();
  try {
    const authenticate = authenticateWith(parseTokens(["first", "second", "third"].map(digestOf)));
    for (const known of ["first", "second", "third"]) authenticate(`Bearer ${known}`);
    expect(() => authenticate("Bearer fourth")).toThrow("unauthorized");
    expect(compare).toHaveBeenCalledTimes(12);
  } finally {
    compare.mockRestore();
    syncBuiltinESMExports();
  }
});

test("a digest that is none is refused at start, and no digest lets nobody in", () => {
  expect(() => parseTokens([token])).toThrow("SHA-256");
  expect(() => authenticateWith([])(`Bearer ${token}`)).toThrow("unauthorized");
});
